//! Every published Kiwoom message parses or is refused for the documented reason, and the arithmetic that ties the
//! fields together holds on all of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use broker::feed::{FrameParser, Item, Refusal, Summary};
use broker::kiwoom::parse::KiwoomParser;
use market::calendar::Calendar;
use market::{AggressorSide, Levels, OrderBook, Price, Quantity, Session, Tape, Trade};
use serde_json::Value;

/// 10:28:05 in Seoul on 2026-07-20, seconds after the captured prints.
const MORNING: i64 = 1_784_510_885_000_000_000;
/// 16:52:09 on the same day, a second after the documented print.
const AFTERNOON: i64 = 1_784_533_929_000_000_000;
/// 16:52:09 on 2026-11-24, a Tuesday with continuous trading at that time.
const NOVEMBER: i64 = 1_795_506_729_000_000_000;
const HOUR: i64 = 3_600_000_000_000;

const TRADE: &str = include_str!("../fixtures/kiwoom/0b_official.txt");
const CAPTURED: &str = include_str!("../fixtures/kiwoom/0b_captured.txt");
const BOOK: &str = include_str!("../fixtures/kiwoom/0d_official.txt");
const PROGRAM: &str = include_str!("../fixtures/kiwoom/0w_captured.txt");

fn read(text: &str, received_ns: i64) -> Result<(Summary, Vec<Item>), Refusal> {
    let mut items = Vec::new();
    let summary = KiwoomParser::new(Calendar::built_in().clone()).parse(text, received_ns, &mut items)?;
    Ok((summary, items))
}

fn parse(text: &str, received_ns: i64) -> Vec<Item> {
    read(text, received_ns).expect("frame").1
}

fn trade(text: &str, received_ns: i64) -> Trade {
    match parse(text, received_ns).as_slice() {
        [Item::Trade(trade, None)] => *trade,
        other => panic!("{other:?}"),
    }
}

fn book(text: &str, received_ns: i64) -> OrderBook {
    match parse(text, received_ns).as_slice() {
        [Item::OrderBook(book)] => *book,
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str, received_ns: i64) -> Refusal {
    match parse(text, received_ns).as_slice() {
        [Item::Refused(refusal)] => refusal.clone(),
        other => panic!("{other:?}"),
    }
}

/// The values of a frame of one row.
fn values(frame: &str) -> Value {
    let frame: Value = serde_json::from_str(frame).expect("frame");
    frame["data"][0]["values"].clone()
}

/// A number in hundredths, with its sign.
fn hundredths(values: &Value, fid: u16) -> i64 {
    let text = values[fid.to_string()].as_str().expect("fid").trim();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "00"));
    assert_eq!(decimals.len(), 2, "{text}");
    format!("{whole}{decimals}").parse().expect("number")
}

fn whole(values: &Value, fid: u16) -> i64 {
    hundredths(values, fid) / 100
}

/// `a / b` in hundredths of a percent, rounded to the nearest as the broker does.
fn percent(a: i64, b: i64) -> i64 {
    (a * 20_000 + b) / (2 * b)
}

#[test]
fn the_documented_trade_is_read_to_the_last_field() {
    let trade = trade(TRADE, AFTERNOON);
    assert_eq!((trade.at.symbol.as_str(), trade.at.tape), ("005930", Tape::Krx));
    // 16:52:08 in Seoul.
    assert_eq!(trade.at.exchange_ns, 1_784_533_928_000_000_000);
    assert_eq!(trade.at.trade_date.to_string(), "2026-07-20");
    assert_eq!(trade.price, Price::from_units(208_000_000));
    assert_eq!((trade.quantity.units(), trade.cumulative_volume.units()), (82, 30_379_732));
    assert_eq!(trade.aggressor_side, AggressorSide::Buy);
    assert_eq!(trade.cumulative_value.to_string(), "632640000000");
    assert_eq!(trade.cumulative_value_step.to_string(), "1000000");
    assert_eq!((trade.best_ask, trade.best_bid), (Price::parse("20800").ok(), Price::parse("20700").ok()));
    assert_eq!((trade.session, trade.session_codes.as_str()), (Session::SinglePrice, "2|1"));
    assert!(!trade.halted);
}

#[test]
fn captured_trades_hold_the_relations_of_their_fields() {
    let mut seen = Vec::new();
    for line in CAPTURED.lines() {
        let (trade, values) = (trade(line, MORNING), values(line));
        let (price, quantity, volume) =
            (whole(&values, 10).abs(), whole(&values, 15).abs(), whole(&values, 13));
        let yesterday = volume - whole(&values, 26);
        assert_eq!(percent(volume, yesterday), hundredths(&values, 30).abs());
        let (sold, bought) = (whole(&values, 1030), whole(&values, 1031));
        assert_eq!(percent(bought, sold), hundredths(&values, 228));
        assert_eq!(percent(bought, sold + bought), hundredths(&values, 1032).abs());
        assert!(sold + bought <= volume);
        assert_eq!(price * quantity / 1_000, whole(&values, 1313).abs());
        assert_eq!(whole(&values, 1316) + whole(&values, 1315), quantity);
        // The sign of the price stands for above or below the previous close.
        assert_eq!(whole(&values, 10).signum(), whole(&values, 11).signum());
        assert_eq!((trade.price.units(), trade.quantity.units()), (price * 10_000, quantity));
        assert_eq!(trade.cumulative_volume.units(), volume);
        assert_eq!((trade.aggressor_side, trade.session), (AggressorSide::Buy, Session::Continuous));
        assert_eq!(trade.session_codes.as_str(), "2|KRX");
        seen.push((trade.at.symbol.to_string(), price - whole(&values, 11)));
    }
    assert_eq!(seen, [("000660".to_owned(), 1_842_000), ("005930".to_owned(), 255_000)]);
    // The same previous close by the program-trading rows of the same minute.
    let by_program: Vec<_> =
        PROGRAM.lines().map(values).map(|values| whole(&values, 10).abs() - whole(&values, 11)).collect();
    assert_eq!(by_program, [1_842_000, 425_000, 255_000]);
}

#[test]
fn rows_with_three_fids_are_refused_with_what_is_missing() {
    let text = include_str!("../fixtures/kiwoom/0b_partial.txt");
    let symbols: Vec<_> = text
        .lines()
        .map(|line| {
            let refusal = refused(line, MORNING);
            assert_eq!((refusal.reason, refusal.detail.as_str()), ("field", "0B field 20 time: missing"));
            assert!(refusal.raw.is_some_and(|raw| raw.starts_with(r#"{"type":"0B""#) && line.contains(&raw)));
            let (tape, symbol) = refusal.instrument.expect("instrument");
            assert_eq!(tape, Tape::All);
            symbol.to_string()
        })
        .collect();
    assert_eq!(symbols, ["005930", "000660", "247540"]);
}

#[test]
fn the_documented_book_holds_the_relations_of_its_fields() {
    let (book, values) = (book(BOOK, AFTERNOON), values(BOOK));
    let sum = |levels: &Levels| levels.as_slice().iter().map(|level| level.quantity.units()).sum::<i64>();
    assert_eq!((sum(&book.asks), book.total_ask_quantity.units()), (12_622_527, 12_622_527));
    assert_eq!((sum(&book.bids), book.total_bid_quantity.units()), (14_453_430, 14_453_430));
    let (asked, bid) = (whole(&values, 121), whole(&values, 125));
    assert_eq!((whole(&values, 128), whole(&values, 138)), (bid - asked, asked - bid));
    assert_eq!(
        (hundredths(&values, 129), hundredths(&values, 139)),
        (percent(bid, asked), percent(asked, bid))
    );
    let prices = |levels: &Levels| -> Vec<_> {
        levels.as_slice().iter().map(|level| level.price.units() / 10_000).collect()
    };
    assert_eq!(prices(&book.asks), [20800, 20900, 21000, 21050, 21100, 21150, 21200, 21250, 21300, 21350]);
    assert_eq!(prices(&book.bids), [20700, 20650, 20600, 20550, 20500, 20450, 20400, 20350, 20300, 20250]);
    assert_eq!(book.asks.as_slice()[9].quantity.units(), 1_242_991);
    assert_eq!(book.bids.as_slice()[0].quantity.units(), 23_847);
    // 16:52:07 in Seoul; a book has no session code here.
    assert_eq!(book.at.exchange_ns, 1_784_533_927_000_000_000);
    assert_eq!((book.at.tape, book.session_codes.as_str()), (Tape::Krx, ""));
    assert_eq!(values.as_object().expect("values").len(), 163);
}

#[test]
fn the_book_before_a_trade_holds_the_volume_before_it() {
    let (trade, book) = (trade(TRADE, AFTERNOON), book(BOOK, AFTERNOON));
    assert_eq!(
        book.cumulative_volume.and_then(|volume| volume.checked_add(trade.quantity)),
        Some(trade.cumulative_volume)
    );
}

#[test]
fn an_expected_price_means_something_in_an_auction_only() {
    // FIDs 23 and 24 stand there all day.
    let in_auction = book(BOOK, AFTERNOON);
    assert_eq!(in_auction.session, Session::SinglePrice);
    assert_eq!(
        (in_auction.expected_price, in_auction.expected_quantity.units()),
        (Price::parse("20850").ok(), 332_941)
    );
    let after = book(BOOK, NOVEMBER);
    assert_eq!(after.session, Session::After);
    assert_eq!((after.expected_price, after.expected_quantity), (None, Quantity::ZERO));
    // 291 and 292 are filled in expected-price time alone, which may also be a pause for volatility.
    let paused = BOOK.replace(r#""291":"0","292":"0""#, r#""291":"-20750","292":"17""#);
    let paused = book(&paused, NOVEMBER);
    assert_eq!((paused.expected_price, paused.expected_quantity.units()), (Price::parse("20750").ok(), 17));
}

#[test]
fn program_trading_adds_up_and_is_no_trade() {
    for line in PROGRAM.lines() {
        let values = values(line);
        assert_eq!(whole(&values, 206) - whole(&values, 202), whole(&values, 210));
        assert_eq!(whole(&values, 208) - whole(&values, 204), whole(&values, 212));
        assert_eq!(parse(line, MORNING), [Item::Apart("program_trading")]);
    }
}

#[test]
fn what_is_neither_trade_nor_book_is_kept_apart() {
    let apart: Vec<_> = include_str!("../fixtures/kiwoom/apart.txt")
        .lines()
        .map(|line| match parse(line, MORNING).as_slice() {
            [Item::Apart(name)] => *name,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        apart,
        [
            "quote_state",
            "best_quote",
            "after_hours_book",
            "expected_price",
            "market_status",
            "market_status",
            "program_trading",
            "volatility_interruption",
        ]
    );
    let unknown = TRADE.replace(r#""type":"0B""#, r#""type":"0Z""#);
    assert_eq!(parse(&unknown, AFTERNOON), [Item::Apart("unknown_type")]);
    for line in include_str!("../fixtures/kiwoom/control.txt").lines().take(5) {
        assert_eq!(
            read(line, MORNING).map(|(summary, items)| (summary.what, items.len())),
            Ok(("control", 0)),
            "{line}"
        );
    }
}

#[test]
fn the_suffix_of_an_item_is_its_tape() {
    for (item, tape, symbol) in [
        ("005930", Tape::Krx, "005930"),
        ("005930_NX", Tape::Nxt, "005930"),
        ("005930_AL", Tape::All, "005930"),
        ("A005930", Tape::Krx, "005930"),
        ("A0155E0_NX", Tape::Nxt, "0155E0"),
        ("0155E0", Tape::Krx, "0155E0"),
        (" 005930 ", Tape::Krx, "005930"),
    ] {
        let item = format!(r#""item":"{item}""#);
        let trade = trade(&TRADE.replace(r#""item":"005930""#, &item), AFTERNOON);
        assert_eq!((trade.at.tape, trade.at.symbol.as_str()), (tape, symbol), "{item}");
        let book = book(&BOOK.replace(r#""item":"005930""#, &item), AFTERNOON);
        assert_eq!((book.at.tape, book.at.symbol.as_str()), (tape, symbol), "{item}");
    }
    for item in ["005930_XX", "", "_NX", "005930_NX_AL", "삼성"] {
        let refusal =
            refused(&TRADE.replace(r#""item":"005930""#, &format!(r#""item":"{item}""#)), AFTERNOON);
        assert_eq!((refusal.instrument, refusal.detail.contains("item")), (None, true), "{item}");
    }
}

#[test]
fn rows_of_one_frame_keep_their_order_and_a_bad_one_harms_no_other() {
    let row = |frame: &str| -> String {
        frame.trim().trim_start_matches(r#"{"trnm":"REAL","data":["#).trim_end_matches("]}").to_owned()
    };
    let bad = row(TRADE).replace(r#""13":"30379732""#, r#""13":"3037973x""#);
    let rows = [
        row(TRADE),
        bad.clone(),
        row(BOOK),
        "7".to_owned(),
        row(PROGRAM.lines().next().expect("line")),
        row(TRADE),
    ];
    let (summary, items) =
        read(&format!(r#"{{"data":[{}],"trnm":"REAL"}}"#, rows.join(",")), AFTERNOON).expect("frame");
    let [
        Item::Trade(first, None),
        Item::Refused(field),
        Item::OrderBook(_),
        Item::Refused(whole_row),
        Item::Apart(_),
        Item::Trade(last, None),
    ] = items.as_slice()
    else {
        panic!("{items:?}")
    };
    assert_eq!(first, last);
    assert_eq!((field.reason, field.raw.as_deref()), ("field", Some(bad.as_str())));
    assert!(field.detail.contains("0B field 13"), "{}", field.detail);
    assert_eq!((whole_row.reason, whole_row.raw.as_deref()), ("row", Some("7")));
    assert_eq!((summary.what, summary.records, summary.width, summary.extra_fields), ("several", 6, 163, 0));
    let grown = TRADE.replace(r#""9081":"1""#, r#""9081":"1","9082":"x","9083":"y""#);
    let (summary, _) = read(&grown, AFTERNOON).expect("frame");
    assert_eq!((summary.what, summary.width, summary.extra_fields), ("0B", 45, 2));
}

#[test]
fn the_sign_of_the_quantity_alone_is_the_side() {
    for (quantity, side) in [
        ("+82", AggressorSide::Buy),
        ("-82", AggressorSide::Sell),
        ("82", AggressorSide::None),
        (" 82", AggressorSide::None),
        ("--82", AggressorSide::Sell),
    ] {
        let trade = trade(&TRADE.replace(r#""15":"+82""#, &format!(r#""15":"{quantity}""#)), AFTERNOON);
        assert_eq!((trade.aggressor_side, trade.quantity.units()), (side, 82), "{quantity}");
    }
    for none in ["0", "+0", "-0", " 0"] {
        let text = TRADE.replace(r#""15":"+82""#, &format!(r#""15":"{none}""#));
        assert_eq!(parse(&text, AFTERNOON), [Item::Apart("print_of_no_shares")], "{none}");
    }
}

#[test]
fn fields_that_make_a_record_impossible_are_named() {
    for (from, to, detail) in [
        (r#""10":"-20800""#, r#""10":"-0""#, "without a price"),
        (r#""10":"-20800""#, r#""10":"""#, "0B field 10 price: missing"),
        (r#""10":"-20800","#, "", "0B field 10 price: missing"),
        (r#""10":"-20800""#, r#""10":". 950""#, "0B field 10 price: not a number"),
        (r#""15":"+82""#, r#""15":"+-82""#, "0B field 15 quantity: not a number"),
        (r#""15":"+82""#, r#""15":"99999999999""#, "below the quantity"),
        (r#""13":"30379732""#, r#""13":"-30379732""#, "0B field 13 cumulative volume: negative"),
        (r#""20":"165208""#, r#""20":"246000""#, "0B field 20 time: not a time of day"),
        (r#""20":"165208""#, r#""20":["165208"]"#, "0B field 20 time: neither text nor a whole number"),
    ] {
        let refusal = refused(&TRADE.replace(from, to), AFTERNOON);
        assert!(refusal.detail.contains(detail), "{}", refusal.detail);
        assert_eq!(
            refusal.instrument.map(|(tape, symbol)| (tape, symbol.to_string())),
            Some((Tape::Krx, "005930".into()))
        );
    }
    for (from, to, detail) in [
        (r#""44":"+21050","#, "", "0D field 44 level price: missing"),
        (r#""64":"2055055","#, "", "0D field 64 level quantity: missing"),
        (r#""44":"+21050","64":"2055055","#, "", "0D field 44 level price: missing"),
        (r#""44":"+21050""#, r#""44":"2105O""#, "0D field 44 level price: not a number"),
        (r#""121":"12622527","#, "", "0D field 121 total ask quantity: missing"),
        (r#""21":"165207","#, "", "0D field 21 time: missing"),
    ] {
        let refusal = refused(&BOOK.replace(from, to), AFTERNOON);
        assert!(refusal.detail.contains(detail), "{}", refusal.detail);
    }
}

#[test]
fn what_a_print_can_do_without_is_left_out() {
    let text = TRADE
        .replace(r#""14":"632640","#, "")
        .replace(r#""27":"-20800","28":"-20700""#, r#""27":"x","28":"-0""#);
    let trade = trade(&text, AFTERNOON);
    assert_eq!((trade.best_ask, trade.best_bid), (None, None));
    // No step: no value is told, which 0 in steps of a million would not say.
    assert_eq!((trade.cumulative_value.units(), trade.cumulative_value_step.units()), (0, 0));
    let after_hours = r#"{"trnm":"REAL","data":[{"type":"0B","item":"005930_NX","values":{"20":"165208","10":"+100","15":"-1","13":"5"}}]}"#;
    let trade = self::trade(after_hours, AFTERNOON);
    assert_eq!((trade.quantity.units(), trade.session_codes.as_str()), (1, "|"));
}

#[test]
fn empty_levels_are_no_levels() {
    let text = BOOK.replace(r#""50":"+21350","70":"1242991""#, r#""50":"-0","70":"0""#);
    assert_eq!(book(&text, AFTERNOON).asks.as_slice().len(), 9);
    // A stock at its upper limit has no asks, whether they come as zeros, as empty text or not at all.
    let mut limit: Value = serde_json::from_str(BOOK).expect("frame");
    for asks in ["0", "", "absent"] {
        let values = limit["data"][0]["values"].as_object_mut().expect("values");
        for fid in (41..=50).chain(61..=70) {
            match asks {
                "absent" => drop(values.remove(&fid.to_string())),
                text => drop(values.insert(fid.to_string(), text.into())),
            }
        }
        values.insert("121".into(), "0".into());
        let book = book(&limit.to_string(), AFTERNOON);
        assert_eq!((book.asks.as_slice().len(), book.bids.as_slice().len()), (0, 10), "{asks}");
    }
    // The total says that there are asks: the row lost them.
    limit["data"][0]["values"]["121"] = "5".into();
    assert!(refused(&limit.to_string(), AFTERNOON).detail.contains("0D field 41"));
}

#[test]
fn a_time_without_a_date_is_of_the_day_of_receipt() {
    let at = |received_ns| parse(TRADE, received_ns).remove(0);
    let date = |received_ns| trade(TRADE, received_ns).at.trade_date.to_string();
    assert_eq!(date(AFTERNOON), "2026-07-20");
    // Received 10 hours later, after midnight.
    assert_eq!(date(AFTERNOON + 10 * HOUR), "2026-07-20");
    // Our clock may be behind the exchange's a little.
    assert_eq!(date(AFTERNOON - HOUR), "2026-07-20");
    // Far ahead of us: of an earlier day, and of which nobody knows.
    for received_ns in [AFTERNOON - HOUR - 2_000_000_000, AFTERNOON - 8 * HOUR, AFTERNOON + 14 * HOUR] {
        let Item::Refused(refusal) = at(received_ns) else { panic!("not refused") };
        assert!(refusal.detail.contains("165208 is more than an hour ahead"), "{}", refusal.detail);
    }
    let last_second = TRADE.replace(r#""20":"165208""#, r#""20":"235959""#);
    // 00:00:01 of the 21st.
    let trade = trade(&last_second, AFTERNOON + 7 * HOUR + 472_000_000_000);
    assert_eq!(trade.at.trade_date.to_string(), "2026-07-20");
}
