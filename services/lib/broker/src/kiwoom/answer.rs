//! What an answer of Kiwoom asks of us: the generic `return_code` and the detail code in its text, to one [`Verdict`].
//!
//! ```text
//! {"return_code":3,"return_msg":"인증에 실패했습니다[8005:Token이 유효하지 않습니다]"}
//! ```
//! Comes with HTTP 200. REST writes the detail as `[8005:…]`, the WebSocket as `[CODE=8005, MESSAGE=…]`; a few answers
//! carry it in `return_code` itself. The detail decides wherever there is one: 1634 (never try again unchanged) and
//! 1700 (wait, try again) share the generic code 5 and the beginning of their text.

/// What to do about an answer, alike for REST, tokens and the WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Ok,
    /// No data, code 20: an empty result, worth a log.
    NoData,
    /// The token is expired, revoked or replaced: take a newer one, or issue one, and try once more.
    TokenDead,
    /// A token could not be looked up, made, issued or revoked, or belongs to another address: issue once more.
    TokenTrouble,
    /// Key or secret is wrong, or this address or device is not registered: only a person can help.
    BadCredentials,
    /// Key or token of the other world (production, paper trading): only a person can help.
    WrongWorld,
    /// Not offered here, such as a TR that paper trading lacks: never try again.
    NotOffered,
    /// Too many calls: wait, then try again.
    RateLimited(Limit),
    /// Too many codes in one request (1634): never try again unchanged.
    TooManyCodes,
    /// No such symbol, or not on this exchange: drop it.
    NoSuchSymbol,
    /// The server cannot serve now: try again with a growing pause.
    ServerTrouble,
    /// Our request is wrong: never try again unchanged.
    Bug,
    /// WebSocket: something was sent before the answer to LOGIN, and thrown away.
    NotLoggedIn,
    /// WebSocket: no room for more items on this connection.
    ItemLimit,
    /// A code that nobody has documented: no success.
    Unknown,
}

/// Which limit was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Of this TR: 5 calls a second were measured.
    Tr,
    /// Over a group of TRs, or all calls, or for calls that repeat each other: wait longer, lower the rate.
    Wider,
    /// Registrations on a WebSocket: about 5 a second.
    Registrations,
}

/// The detail code in an answer's text: the digits of the first `[8005:` or `CODE=8005`.
#[must_use]
pub fn detail_code(text: &str) -> Option<u32> {
    text.char_indices().find_map(|(at, sign)| {
        let rest = &text[at..];
        match sign {
            '[' => digits(&rest[1..]).filter(|(_, after)| after.starts_with(':')),
            'C' => rest.strip_prefix("CODE=").and_then(digits),
            _ => None,
        }
        .map(|(code, _)| code)
    })
}

/// Three to five digits at the beginning, and what follows.
fn digits(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (code, after) = text.split_at_checked(length)?;
    if (3..=5).contains(&length) { Some((code.parse().ok()?, after)) } else { None }
}

/// What `return_code` and the text (`return_msg`) ask of us.
#[must_use]
pub fn verdict(return_code: i64, text: &str) -> Verdict {
    if return_code == 0 {
        return Verdict::Ok;
    }
    let detail = detail_code(text).map(i64::from).and_then(by_code);
    detail.or_else(|| by_code(return_code)).unwrap_or(Verdict::Unknown)
}

/// Codes of either layer. Table: last page of the official reference, and measured answers.
fn by_code(code: i64) -> Option<Verdict> {
    Some(match code {
        20 => Verdict::NoData,
        // 3 is the generic code of everything about tokens; 805004 is the WebSocket's.
        3 | 8005 | 805_004 => Verdict::TokenDead,
        8003 | 8006 | 8009 | 8010 | 8015 | 8016 => Verdict::TokenTrouble,
        8001 | 8002 | 8011 | 8012 | 8020 | 8040 | 8050 | 8103 => Verdict::BadCredentials,
        8030 | 8031 => Verdict::WrongWorld,
        8104 | 8200 => Verdict::NotOffered,
        5 | 1700 => Verdict::RateLimited(Limit::Tr),
        1687 | 1701 | 1702 => Verdict::RateLimited(Limit::Wider),
        105_110 => Verdict::RateLimited(Limit::Registrations),
        1634 => Verdict::TooManyCodes,
        1901..=1903 => Verdict::NoSuchSymbol,
        1999 => Verdict::ServerTrouble,
        // 805002: no token in LOGIN; 100002: a parameter is missing; 105108: unknown trnm.
        2 | 1501 | 1504 | 1505 | 1511..=1517 | 100_002 | 105_108 | 805_002 => Verdict::Bug,
        100_013 => Verdict::NotLoggedIn,
        105_115 | 105_118 => Verdict::ItemLimit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_stands_in_the_text_in_two_forms() {
        assert_eq!(detail_code("인증에 실패했습니다[8005:Token이 유효하지 않습니다]"), Some(8005));
        assert_eq!(detail_code("[CODE=8005, MESSAGE=Token이 유효하지 않습니다]"), Some(8005));
        assert_eq!(detail_code("[a:b] [12:x] [123456:y] [1634:너무]"), Some(1634));
        // The first one counts.
        assert_eq!(detail_code("CODE=1700 [8005:x]"), Some(1700));
        for text in
            ["", "[", "[8005", "[8005]", "[80:", "CODE=", "CODE=12", "code=8005", "[805004:x]", "[８００５:"]
        {
            assert_eq!(detail_code(text), None, "{text}");
        }
    }

    #[test]
    fn published_answers_are_understood() {
        let dead = "인증에 실패했습니다[8005:Token이 유효하지 않습니다]";
        assert_eq!(verdict(3, dead), Verdict::TokenDead);
        let limited = "허용된 요청 개수를 초과하였습니다[1700:허용된 API 요청 개수를 초과하였습니다. 유량=5, API ID=ka10080]";
        assert_eq!(verdict(5, limited), Verdict::RateLimited(Limit::Tr));
        // The same leading text, the same generic code, and not a rate limit.
        assert_eq!(
            verdict(5, "허용된 요청 개수를 초과하였습니다[1634:종목 개수를 초과]"),
            Verdict::TooManyCodes
        );
        let early = "로그인 인증이 들어오기 전에 다른 전문이 들어왔습니다. 해당 전문은 무시됩니다. (TRNM=%s)";
        assert_eq!(verdict(100_013, early), Verdict::NotLoggedIn);
        assert_eq!(verdict(805_004, "[CODE=8005, MESSAGE=Token]"), Verdict::TokenDead);
        assert_eq!(verdict(0, "정상적으로 처리되었습니다"), Verdict::Ok);
    }

    #[test]
    fn every_code_of_the_table_has_its_verdict() {
        use Verdict::*;
        for (return_code, details, expected) in [
            (3, &[8005][..], TokenDead),
            (3, &[8003, 8006, 8009, 8010, 8015, 8016], TokenTrouble),
            (3, &[8001, 8002, 8011, 8012, 8020, 8040, 8050, 8103], BadCredentials),
            (3, &[8030, 8031], WrongWorld),
            (3, &[8104, 8200], NotOffered),
            (2, &[1501, 1504, 1505, 1511, 1512, 1513, 1514, 1515, 1516, 1517], Bug),
            (5, &[1700], RateLimited(Limit::Tr)),
            (5, &[1687, 1701, 1702], RateLimited(Limit::Wider)),
            (5, &[1634], TooManyCodes),
            (2, &[1901, 1902, 1903], NoSuchSymbol),
            (1, &[1999], ServerTrouble),
        ] {
            for detail in details {
                assert_eq!(verdict(return_code, &format!("글[{detail}:글]")), expected, "{detail}");
                assert_eq!(
                    verdict(return_code, &format!("글[CODE={detail}, MESSAGE=글]")),
                    expected,
                    "{detail}"
                );
                // Some answers carry the detail at the top.
                assert_eq!(verdict(i64::from(*detail), ""), expected, "{detail}");
            }
        }
        for (code, expected) in [
            (20, NoData),
            (2, Bug),
            (805_002, Bug),
            (100_002, Bug),
            (105_108, Bug),
            (105_110, RateLimited(Limit::Registrations)),
            (105_115, ItemLimit),
            (105_118, ItemLimit),
            (777_777, Unknown),
            (-1, Unknown),
        ] {
            assert_eq!(verdict(code, "RC9000"), expected, "{code}");
        }
        // An unknown detail under a known generic code.
        assert_eq!(verdict(2, "[1599:x]"), Bug);
    }
}
