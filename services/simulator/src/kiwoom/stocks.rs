//! The instruments of the market turn into the list of ka10099 (kiwoom.md 7).

use serde_json::{Map, Value, json};

use super::answer::{Page, field};
use super::item;
use crate::market::catalog::{Listing, korean_keys, profile};
use crate::market::{Market, grid::Grid};

/// Rows of a page: few, so that a list of some instruments has pages at all.
const ROWS: usize = 10;

/// Code, name, market of those with a name: 0 KOSPI, 10 KOSDAQ, 8 ETF, 60 ETN.
const NAMES: [(&str, &str, &str); 13] = [
    ("005930", "삼성전자", "0"),
    ("000660", "SK하이닉스", "0"),
    ("373220", "LG에너지솔루션", "0"),
    ("005380", "현대차", "0"),
    ("035420", "NAVER", "0"),
    ("035720", "카카오", "0"),
    ("000100", "유한양행", "0"),
    ("088350", "한화생명", "0"),
    ("247540", "에코프로비엠", "10"),
    ("069500", "KODEX 200", "8"),
    ("0155E0", "모의 ETF", "8"),
    ("396300", "세아메카닉스", "10"),
    ("500001", "모의 ETN", "60"),
];

/// ka10099: everything that is listed from the start or was asked for. `mrkt_tp` 0 has ETF and ETN too, as measured.
///
/// # Errors
/// The detail code.
pub fn list(market: &Market, body: &Value, next_key: Option<&str>) -> Result<Page, &'static str> {
    let wanted = match field(body, "mrkt_tp") {
        "" => return Err("1511"),
        wanted @ ("0" | "10" | "8" | "60") => wanted,
        // Markets of which the simulator has no instrument.
        "3" | "30" | "50" | "5" | "7" | "4" | "6" | "9" | "70" | "80" | "90" | "2" => "none",
        _ => return Err("1901"),
    };
    let mut keys: Vec<String> = korean_keys().map(str::to_owned).collect();
    for it in &market.instruments {
        if matches!(it.listing, Listing::Korea { .. }) && !keys.contains(&it.key) {
            keys.push(it.key.clone());
        }
    }
    let start = next_key.and_then(|key| key.parse::<usize>().ok()).unwrap_or(0);
    let rows: Vec<Value> = keys.iter().map(|key| row(market, key)).filter(|row| is_in(row, wanted)).collect();
    let end = (start + ROWS).min(rows.len());
    let next_key = (end < rows.len()).then(|| end.to_string());
    let rows = rows.get(start..end).unwrap_or_default().to_vec();
    Ok(Page { head: Map::new(), list: "list", rows, next_key })
}

fn is_in(row: &Value, wanted: &str) -> bool {
    let code = field(row, "marketCode");
    code == wanted || (wanted == "0" && code != "10")
}

/// A row in camelCase; numbers are padded with zeros.
fn row(market: &Market, key: &str) -> Value {
    let code = if key.len() == 7 { key.trim_start_matches('Q') } else { key };
    let found = item::find(market, code);
    let profile = found.map_or_else(|| profile(key, false, None, market.seed()), |it| it.profile.clone());
    let other = if profile.grid == Grid::Fund { "60" } else { "0" };
    let (_, name, market_code) =
        NAMES.into_iter().find(|known| known.0 == code).unwrap_or((code, code, other));
    let market_name = match market_code {
        "10" => "코스닥",
        "8" => "ETF",
        "60" => "ETN",
        _ => "거래소",
    };
    json!({
        "code": code,
        "name": name,
        "listCount": format!("{:016}", found.map_or(100_000_000, |it| it.listed)),
        "auditInfo": "정상",
        "regDay": "20100423",
        "lastPrice": format!("{:08}", profile.base),
        "state": "증거금20%|담보대출|신용가능",
        "marketCode": market_code,
        "marketName": market_name,
        "upName": "",
        "upSizeName": "",
        "companyClassName": "",
        "orderWarning": "0",
        "nxtEnable": if profile.nxt { "Y" } else { "N" },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_list_has_pages_and_markets() {
        let market = Market::new(1, HashMap::new());
        let body = |market: &str| json!({ "mrkt_tp": market });
        let first = list(&market, &body("0"), None).expect("page");
        assert_eq!((first.rows.len(), first.next_key.as_deref()), (10, Some("10")));
        assert_eq!(
            (&first.rows[0]["code"], &first.rows[0]["lastPrice"]),
            (&json!("005930"), &json!("00277500"))
        );
        let second = list(&market, &body("0"), Some("10")).expect("page");
        assert_eq!((second.rows.len(), second.next_key), (1, None));
        let codes = |market_code| {
            let page = list(&market, &body(market_code), None).expect("page");
            page.rows.iter().map(|row| field(row, "code").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(codes("10"), ["247540", "396300"]);
        assert_eq!((codes("60"), codes("3")), (vec!["500001".to_owned()], Vec::new()));
        assert_eq!(list(&market, &body("x"), None).unwrap_err(), "1901");
    }
}
