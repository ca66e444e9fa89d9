//! Who is named silent when: busy and quiet symbols, closed hours, new ones, and what is read twice.

use super::*;

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("symbol")
}

fn instruments(texts: &[&str]) -> HashSet<Instrument> {
    texts.iter().map(|text| (Tape::Krx, symbol(text))).collect()
}

/// Rates that hear seconds of the 25th of November.
#[derive(Default)]
struct Heard(Rates);

impl Heard {
    fn at(&mut self, text: &str, second: i64) {
        self.of(text, second, "20261125", Session::Continuous);
    }

    fn of(&mut self, text: &str, second: i64, day: &str, session: Session) {
        let trade_date = TradeDate::parse(day).expect("day");
        let at = At { tape: Tape::Krx, symbol: symbol(text), trade_date, exchange_ns: 0 };
        self.0.arrived(&at, session, second * SECOND);
    }

    /// Watched all the time, while a neighbour trades each second.
    fn seconds(&mut self, seconds: std::ops::RangeInclusive<i64>, watched: &[&str]) -> Vec<(i64, String)> {
        let mut named = Vec::new();
        for second in seconds {
            self.at("005930", second);
            named.extend(self.silent(watched).map(|names| (second, names)));
        }
        named
    }

    fn silent(&mut self, watched: &[&str]) -> Option<String> {
        let (symbols, _) = self.0.silent(&instruments(watched))?;
        Some(symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" "))
    }
}

#[test]
fn silence_is_judged_by_how_often_a_symbol_trades() {
    let mut heard = Heard::default();
    // 035720 once in ten minutes, 005380 each second, for two hours.
    for second in 0..=7_200 {
        heard.at("005380", second);
        heard.at("005930", second);
        if second % 600 == 0 {
            heard.at("035720", second);
        }
    }
    // Both stop.
    let both = ["005380", "035720", "005930"];
    let named = heard.seconds(7_201..=7_320, &both);
    assert_eq!(named, [(7_261, "005380".to_owned())], "a minute after it was last watched and heard");
    // Twenty of its intervals, and each is named once.
    let named = heard.seconds(7_321..=20_000, &both);
    assert_eq!(named, [(7_201 + 12_000, "035720".to_owned())]);
    heard.at("005380", 20_000);
    let named = heard.seconds(20_001..=20_200, &both);
    assert_eq!(named.len(), 1, "heard and lost again");
}

#[test]
fn a_burst_does_not_make_the_next_pause_a_loss() {
    let mut heard = Heard::default();
    let mut second = 0;
    let mut named = Vec::new();
    for _ in 0..20_u8 {
        for _ in 0..5_u8 {
            second += 1;
            heard.at("035720", second);
        }
        named.extend(heard.seconds(second + 1..=second + 300, &["035720"]));
        second += 300;
    }
    // The first pause is judged by the neighbour's rate, as nothing is known yet.
    assert_eq!(named, [(66, "035720".to_owned())]);
}

#[test]
fn until_its_own_rate_is_known_a_symbol_is_the_slowest_of_its_tape() {
    let mut heard = Heard::default();
    assert_eq!(heard.silent(&["035720"]), None, "nothing is known at all");
    for second in 0..=100 {
        heard.at("005930", second);
        if second % 10 == 0 {
            heard.at("005380", second);
        }
    }
    // 005380 trades every ten seconds: 200 s from the moment that the new one is watched.
    let named: Vec<_> = heard.seconds(101..=400, &["035720"]);
    assert_eq!(named, [(301, "035720".to_owned())]);
    // Given up and asked for again: its time begins anew.
    assert_eq!(heard.silent(&[]), None);
    heard.at("035720", 400);
    assert_eq!(heard.seconds(401..=500, &["035720"]), []);
}

#[test]
fn nights_auctions_and_old_events_count_for_nothing() {
    let mut heard = Heard::default();
    for second in 0..=100 {
        heard.at("005380", second);
    }
    assert_eq!(heard.seconds(101..=150, &["005380"]), []);
    // The closing auction: books of the neighbour come, and nothing can be told.
    for second in 151..=900 {
        heard.of("005930", second, "20261125", Session::CloseAuction);
        assert_eq!(heard.silent(&["005380"]), None);
    }
    // Events of before, read again, bring no phase back and are no signs of life.
    heard.at("005380", 50);
    assert_eq!(heard.silent(&["005380"]), None);
    // The next morning has its own minute, and the rate of yesterday.
    let next = 90_000;
    for second in next..next + 60 {
        heard.of("005930", second, "20261126", Session::Continuous);
        assert_eq!(heard.silent(&["005380"]), None, "{second}");
    }
    heard.of("005930", next + 60, "20261126", Session::Continuous);
    assert_eq!(heard.silent(&["005380"]), Some("005380".to_owned()));
}

#[test]
fn frames_that_are_parsed_are_heard_of() {
    use market::calendar::Calendar;

    let rates = Shared::default();
    let parser = broker::kis::parse::KisParser::new(Calendar::built_in().clone());
    let mut parser = Observed::new(parser, Arc::clone(&rates));
    let frame =
        include_str!("../../../../broker/fixtures/kis/h0stcnt0_46.txt").lines().nth(5).expect("frame");
    let mut items = Vec::new();
    parser.parse(frame, 1_795_568_400_000_000_000, &mut items).expect("parsed");
    assert_eq!(items.len(), 4);
    let rates = rates.lock().expect("lock");
    assert_eq!(rates.hours[&Tape::Krx].latest_ns, 1_795_568_400_000_000_000);
}
