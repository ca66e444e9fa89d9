//! Plans of universes that fit and that do not, keys as the settings give them, and the files on disk.

use std::fmt::Write as _;

use broker::lines::Subscription as _;
use market::{Market, Source};
use store::query::TradeCount;

use super::plan::{Feed, Orphan, Share};
use super::*;

/// Lines of a file: the symbols with these numbers.
fn list(numbers: std::ops::RangeInclusive<u32>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        let _in_memory = writeln!(text, "{number:06} name");
        text
    })
}

/// 300 symbols: 40 core ones, 30 of group A, 230 of group B, of which 100 on NXT as well. KIS needs 2 × 15 + 25 + 2 × 30 =
/// 115 registrations, Kiwoom 40 + 130 + 2 × 100 = 370 items.
fn three_hundred() -> Universe {
    let yaml = "files:\n\
        - {file: core-a, core: true, group: A, priority: 1}\n\
        - {file: core-b, core: true, group: B, priority: 1}\n\
        - {file: a, group: A, priority: 2}\n\
        - {file: b, group: B, priority: 3}\n\
        - {file: b-nxt, group: B, tapes: [krx, nxt], priority: 4}\n";
    let universe = Universe::from_yaml_with(yaml, &mut |name| {
        Ok(match name {
            "core-a" => list(1..=15),
            "core-b" => list(16..=40),
            "a" => list(41..=70),
            "b" => list(71..=200),
            _ => list(201..=300),
        })
    });
    universe.expect("universe")
}

fn planned(universe: &Universe, counts: &str) -> Plan {
    planned_with(universe, counts, &Raw::default())
}

fn planned_with(universe: &Universe, counts: &str, raw: &Raw) -> Plan {
    Plan::new(universe, &Keys::planned(&counts.parse().expect("counts"), raw).expect("keys"))
}

fn settings(variables: &[(&str, &str)]) -> Raw {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("sise.toml");
    std::fs::write(&file, "[kis]\nrest_url = 'x'\n[symbols]\nfile = 'a.yaml'\n").expect("file");
    Sources::new("sise", &[file]).load_from(variables).expect("settings")
}

fn used(feed: &Feed) -> Vec<usize> {
    feed.keys.iter().map(|(_, count)| *count).collect()
}

fn uncovered(feed: &Feed) -> Vec<String> {
    feed.uncovered.iter().map(|piece| piece.name()).collect()
}

fn printed(plan: &Plan) -> String {
    let mut out = Vec::new();
    print::text(&mut out, Path::new("symbols.yaml"), plan, None).expect("text");
    String::from_utf8(out).expect("text")
}

#[test]
fn three_hundred_symbols_fit_three_kis_keys_and_two_kiwoom_keys() {
    let plan = planned(&three_hundred(), "kis=3,kiwoom=2");
    assert!(plan.is_covered());
    assert_eq!((plan.symbols, plan.feeds.len()), (300, 3));
    let [kis, us, kiwoom] = plan.feeds.as_slice() else { panic!("{:?}", plan.feeds) };
    assert_eq!((kis.needed, used(kis).iter().sum::<usize>(), kis.keys.len()), (115, 115, 3));
    assert!(used(kis).iter().all(|count| *count <= 41), "{:?}", kis.keys);
    assert_eq!((us.market, us.needed), (Market::Us, 0));
    assert_eq!((kiwoom.needed, used(kiwoom).iter().sum::<usize>(), kiwoom.keys.len()), (370, 370, 2));
    assert!(used(kiwoom).iter().all(|count| *count <= 200), "{:?}", kiwoom.keys);
    let [a, b] = plan.groups.as_slice() else { panic!("{:?}", plan.groups) };
    // Kiwoom brings the trades of the core symbols of group A beside their books.
    assert_eq!(a.trades, Share { kis: 30, kiwoom: 0, both: 15, nobody: 0 });
    assert_eq!(a.books, Share { kis: 30, kiwoom: 0, both: 15, nobody: 0 });
    assert_eq!(b.trades, Share { kis: 0, kiwoom: 355, both: 0, nobody: 0 });
    assert_eq!(b.books, Share { kis: 0, kiwoom: 330, both: 25, nobody: 0 });
    assert!(printed(&plan).ends_with("\neverything is covered\n"));
}

#[test]
fn what_does_not_fit_is_named_exactly() {
    let plan = planned(&three_hundred(), "kis=2,kiwoom=2");
    assert!(!plan.is_covered());
    let kis = &plan.feeds[0];
    assert_eq!(used(kis), [41, 41]);
    // 82 registrations reach to the trades of the 14th symbol of group A.
    let mut expected = vec!["H0STASP0 000054".to_owned()];
    for number in 55..=70 {
        expected.extend([format!("H0STCNT0 0000{number}"), format!("H0STASP0 0000{number}")]);
    }
    assert_eq!(uncovered(kis), expected);
    assert_eq!(plan.groups[0].trades, Share { kis: 14, kiwoom: 0, both: 15, nobody: 16 });
    assert_eq!(plan.groups[0].books, Share { kis: 13, kiwoom: 0, both: 15, nobody: 17 });
    let text = printed(&plan);
    assert!(text.contains("\nUNCOVERED kis kr H0STASP0 000054 (000054 krx orderbook)\n"), "{text}");
    assert_eq!(text.matches("UNCOVERED ").count(), 33);
    assert!(
        text.contains(
            "NOT COVERED: 33 of 115 registrations of kis kr: 3 key(s) of 41 are needed, there are 2\n"
        ),
        "{text}"
    );
}

#[test]
fn the_42nd_registration_and_the_201st_item_have_no_room() {
    let of = |tags: &str, count| {
        let yaml = format!("files:\n- {{file: a, {tags}}}\n");
        Universe::from_yaml_with(&yaml, &mut |_| Ok(list(1..=count))).expect("universe")
    };
    let kis = planned(&of("group: A", 21), "kis=1");
    assert_eq!(
        (used(&kis.feeds[0]), uncovered(&kis.feeds[0])),
        (vec![41], vec!["H0STASP0 000021".to_owned()])
    );
    let kiwoom = planned(&of("group: B, tapes: [nxt]", 201), "kiwoom=1");
    let feed = &kiwoom.feeds[0];
    assert_eq!((used(feed), uncovered(feed)), (vec![200], vec!["000201_NX".to_owned()]));
    assert!(printed(&kiwoom).contains("UNCOVERED kiwoom kr 000201_NX (000201 nxt ticker, orderbook)"));
}

#[test]
fn a_group_falls_to_the_broker_that_runs_and_orphans_are_named() {
    let yaml = "symbols:\n- {symbol: 068270, group: B}\n- {symbol: 005930, source: [kiwoom]}\n\
                - {symbol: AAPL, market: us, listing: NAS}\n";
    let universe = Universe::from_yaml(yaml).expect("universe");
    let plan = planned(&universe, "kis=1");
    assert_eq!(plan.groups[1].trades, Share { kis: 1, kiwoom: 0, both: 0, nobody: 0 });
    let symbol = universe.entries[1].symbol;
    assert_eq!(plan.orphans, [Orphan { symbol, market: Market::Kr, sources: vec![Source::Kiwoom] }]);
    let text = printed(&plan);
    assert!(
        text.contains("UNCOVERED by all: kr 005930: none of those that may carry it runs (kiwoom)\n"),
        "{text}"
    );
    // Without KIS nobody carries the US.
    let plan = planned(&universe, "kiwoom=1");
    assert_eq!((plan.orphans.len(), plan.orphans[0].market), (1, Market::Us));
    let plan = planned(&universe, "kis=0");
    assert_eq!(plan.orphans.len(), 3);
    assert!(printed(&plan).contains("\nno key is set: SISE__KIS__KEYS__MAIN__APP_KEY is one"));
}

#[test]
fn keys_come_from_the_settings_and_are_never_shown() {
    let raw = settings(&[
        ("SISE__KIS__KEYS__MAIN__APP_KEY", "hidden-key"),
        ("SISE__KIS__KEYS__MAIN__APP_SECRET", "hidden-secret"),
        ("SISE__KIS__KEYS__US__APP_KEY", "hidden-key"),
        ("SISE__KIS__KEYS__US__APP_SECRET", "hidden-secret"),
        ("SISE__KIS__KEYS__US__MARKET", "us"),
        ("SISE__KIS__REGISTRATION_LIMIT", "3"),
        ("SISE__KIWOOM__KEYS__SPARE__APP_KEY", " "),
        ("SISE__KIWOOM__KEYS__SPARE__APP_SECRET", "hidden-secret"),
    ]);
    let keys = Keys::of(&raw).expect("keys");
    assert_eq!(keys.carriers(Market::Kr), [Source::Kis]);
    let yaml = "symbols:\n- symbol: 005930\n- {symbol: 000660, core: true}\n- {symbol: AAPL, market: us, listing: NAS}\n";
    let plan = Plan::new(&Universe::from_yaml(yaml).expect("universe"), &keys);
    let [kr, us] = plan.feeds.as_slice() else { panic!("{:?}", plan.feeds) };
    assert_eq!(kr.keys, [("main".to_owned(), 3)]);
    assert_eq!(uncovered(kr), ["H0STASP0 000660"]);
    // The key without a market carries the US at other hours, with its whole limit.
    assert_eq!((us.keys.len(), us.room(), used(us).iter().sum::<usize>()), (2, 6, 2));
    let text = printed(&plan);
    assert!(
        text.contains("key spare of kiwoom is not counted, and no service starts with it: SISE__KIWOOM__KEYS__SPARE__APP_KEY is"),
        "{text}"
    );
    assert!(!format!("{text}{raw:?}{keys:?}").contains("hidden"));
}

#[test]
fn carriers_may_be_said() {
    let key = [("SISE__KIS__KEYS__MAIN__APP_KEY", "k"), ("SISE__KIS__KEYS__MAIN__APP_SECRET", "s")];
    let with = |words| Keys::of(&settings(&[key[0], key[1], ("SISE__SYMBOLS__CARRIERS", words)]));
    let keys = with("kis, kiwoom").expect("keys");
    assert_eq!(keys.carriers(Market::Kr), [Source::Kis, Source::Kiwoom]);
    // Kiwoom is said to run and has no key here: all of its group is uncovered, and nothing falls to KIS.
    let universe = Universe::from_yaml("symbols:\n- {symbol: 068270, group: B}\n").expect("universe");
    let plan = Plan::new(&universe, &keys);
    assert_eq!(
        plan.feeds.iter().map(uncovered).collect::<Vec<_>>(),
        [vec![], vec![], vec!["068270".to_owned()]]
    );
    let none =
        Keys::of(&settings(&[("SISE__KIWOOM__REGISTRATION_LIMIT", "0")])).expect_err("limit").to_string();
    assert!(none.contains("kiwoom.registration_limit: must be 1 or more"), "{none}");
    let error = with("kis,ebest").expect_err("unknown").to_string();
    assert!(error.contains("symbols.carriers: \"ebest\" is neither kis nor kiwoom"), "{error}");
}

#[test]
fn counts_are_read_or_refused() {
    for text in ["", "kis", "kis=", "kis=-1", "kis=1,kis=2", "ebest=1", "kis=1001"] {
        assert!(text.parse::<Counts>().is_err(), "{text}");
    }
    assert!("kiwoom=0, kis=1000".parse::<Counts>().is_ok());
}

#[test]
fn named_files_are_read_from_the_folder_of_the_symbols_file() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("lists")).expect("folder");
    std::fs::write(at("lists/a.txt"), list(1..=2)).expect("file");
    std::fs::write(at("b.txt"), list(3..=3)).expect("file");
    std::fs::write(at("old.txt"), b"005930\n000660 \xbb\xef\n").expect("file");
    let check = |files: &str| {
        std::fs::write(at("symbols.yaml"), format!("files:\n{files}")).expect("file");
        let keys = Some("kis=1".parse().expect("counts"));
        let check = Check { file: Some(at("symbols.yaml")), keys, trades_of: None, json: false };
        prepare(&check, &[]).map(|(_, plan, _)| plan.symbols).map_err(|error| format!("{error:#}"))
    };
    let absolute = format!("- file: lists/a.txt\n- file: {}\n", at("b.txt").display());
    assert_eq!(check(&absolute), Ok(3));
    let error = check("- file: gone.txt\n").expect_err("gone");
    assert!(error.contains("line 2: file \"gone.txt\": ") && error.contains("No such file"), "{error}");
    let error = check("- file: old.txt\n").expect_err("not UTF-8");
    assert!(error.contains("file \"old.txt\": ") && error.contains(": not UTF-8 from line 2 on"), "{error}");
}

#[test]
fn the_files_of_this_repository_fit_one_key_a_broker() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let universe = read(&folder.join("symbols.yaml")).expect("universe");
    for counts in ["kis=1", "kis=1,kiwoom=1"] {
        let plan = planned(&universe, counts);
        assert!(plan.is_covered(), "{}", printed(&plan));
    }
    let both = planned(&universe, "kis=1,kiwoom=1");
    assert_eq!(both.groups[0].books, Share { kis: 0, kiwoom: 0, both: 5, nobody: 0 });
    // Those it shows in comments are right as well.
    let text = std::fs::read_to_string(folder.join("symbols.yaml")).expect("text");
    let shown = text.split_once("# files:\n").expect("example").1.replace("#   -", "-");
    let universe = Universe::from_yaml_with(&format!("files:\n{shown}"), &mut |name| {
        text_file::read(&folder.join(name), MOST_BYTES)
    });
    assert_eq!(universe.expect("universe").entries.len(), 9);
}

#[test]
fn json_names_what_is_uncovered() {
    let universe = Universe::from_yaml("symbols:\n- symbol: 005930\n").expect("universe");
    let plan = planned_with(&universe, "kis=1", &settings(&[("SISE__KIS__REGISTRATION_LIMIT", "1")]));
    let mut out = Vec::new();
    print::json(&mut out, Path::new("symbols.yaml"), &plan, None).expect("json");
    let value: serde_json::Value = serde_json::from_slice(&out).expect("one object");
    assert_eq!(value["covered"], false);
    assert_eq!(value["feeds"][0]["keys"], serde_json::json!([{"key": "key1", "registrations": 1}]));
    let uncovered = serde_json::json!([
        {"name": "H0STASP0 005930", "symbol": "005930", "tape": "krx", "kinds": ["orderbook"]}
    ]);
    assert_eq!(value["feeds"][0]["uncovered"], uncovered);
}

#[test]
fn trades_a_day_are_told_by_group_and_symbol() {
    let yaml = "symbols:\n- {symbol: 005930, group: A}\n- {symbol: 005380, group: A}\n- {symbol: 068270, group: B}\n- {symbol: 035720, group: A}\n- {symbol: AAPL, market: us, listing: NAS}\n";
    let universe = Universe::from_yaml(yaml).expect("universe");
    let count = |symbol: &str, trades| TradeCount {
        market: "kr".to_owned(),
        symbol: symbol.to_owned(),
        day: "2026-11-25".to_owned(),
        trades,
    };
    // 000660 is not of the universe, 035720 has no trade, and the archive has nothing of the US.
    let counts = [count("000660", 9), count("005380", 70), count("005930", 1_200), count("068270", 30)];
    let trades = Trades::new(&universe, &counts);
    let mut out = Vec::new();
    let plan = planned(&universe, "kis=1,kiwoom=1");
    print::text(&mut out, Path::new("symbols.yaml"), &plan, Some(&trades)).expect("text");
    let text = String::from_utf8(out).expect("text");
    let (_, table) = text.split_once("trades a day, as archived\n").expect("table");
    let expected = "\
market  group  day         symbol              trades
kr      A      2026-11-25  all                   1270
kr      B      2026-11-25  all                     30
kr      A      2026-11-25  005930                1200
kr      A      2026-11-25  005380                  70
kr      A      2026-11-25  035720                   0
kr      B      2026-11-25  068270                  30
";
    assert!(table.starts_with(expected), "{table}");
    let mut out = Vec::new();
    print::json(&mut out, Path::new("symbols.yaml"), &plan, Some(&trades)).expect("json");
    let json: serde_json::Value = serde_json::from_slice(&out).expect("json");
    assert_eq!(json["trades_a_day"][0]["symbols"]["005380"], 70);
    assert_eq!(
        (trades::day("2026-11-25").map(|day| day.to_string()), trades::day("25.11.").is_err()),
        (Ok("2026-11-25".to_owned()), true)
    );
}

#[test]
fn without_an_archive_the_plan_stands_alone() {
    assert_eq!(trades::read(&three_hundred(), None, None), None);
    let closed = store::ClickhouseSettings { url: "http://127.0.0.1:1".to_owned(), ..Default::default() };
    assert_eq!(trades::read(&three_hundred(), Some(&closed), None), None);
}
