//! The symbols file and the files it names, as people write them and as they mistype them.

use super::*;

fn symbols(universe: &Universe) -> Vec<String> {
    universe.entries.iter().map(|e| e.symbol.to_string()).collect()
}

/// Reads `yaml` with these files beside it.
fn with(yaml: &str, files: &[(&str, &str)]) -> Result<Universe, UniverseError> {
    Universe::from_yaml_with(yaml, &mut |name| {
        let found = files.iter().find(|(file, _)| *file == name);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    })
}

#[test]
fn plain_scalars_stay_text() {
    let universe = Universe::from_yaml(
        "symbols:\n- symbol: 005930\n  core: true\n  priority: 1\n- symbol: 0155E0\n- symbol: TRUE\n  market: us\n  listing: NAS\n",
    )
    .expect("universe");
    assert_eq!(symbols(&universe), ["005930", "0155E0", "TRUE"]);
    assert_eq!(universe.entries[2].tapes, [Tape::Us]);
    assert_eq!(universe.of(Market::Kr, Source::Kiwoom).count(), 2);
}

#[test]
fn a_name_is_one_line_of_bounded_length() {
    let long = "가".repeat(61);
    let text = format!(
        "symbols:\n- {{symbol: 005930, name: \" 삼성  \\t전자 \"}}\n- {{symbol: 000660, name: ''}}\n- {{symbol: 035420, name: {long}}}\n"
    );
    let universe = Universe::from_yaml(&text).expect("universe");
    let names: Vec<_> = universe.entries.iter().map(|e| e.name.as_deref()).collect();
    assert_eq!(names, [Some("삼성 전자"), None, Some(&*"가".repeat(60))]);
}

#[test]
fn priority_orders_and_defaults_come_last() {
    let text =
        "symbols:\n- symbol: 000660\n- symbol: 005930\n  priority: 2\n- symbol: 035720\n  priority: 1\n";
    let universe = Universe::from_yaml(text).expect("universe");
    assert_eq!(symbols(&universe), ["035720", "005930", "000660"]);
}

#[test]
fn mistakes_are_named() {
    for (text, part) in [
        ("symbols:\n- symbol: 005930\n  tape: [krx]\n", "tape"),
        (
            "symbols:\n- symbol: 005930\n\n- symbol: 005930\n",
            "line 4: symbol \"005930\": listed twice, first in line 2",
        ),
        (
            "symbols:\n- symbol: AAPL\n  market: us\n",
            "line 2: symbol \"AAPL\": needs listing: NAS, NYS or AMS",
        ),
        ("symbols:\n- {symbol: AAPL, market: us, listing: NASD}\n", "\"NASD\" is none of NAS, NYS, AMS"),
        (
            "symbols:\n- {symbol: AAPL, market: us, listing: NAS, source: [kiwoom]}\n",
            "does not carry market us",
        ),
        ("symbols:\n- {symbol: aapl, market: us, listing: NAS}\n", "in capitals: AAPL"),
        ("symbols:\n- symbol: 005930\n  tapes: [us]\n", "not of market kr"),
        ("symbols:\n- symbol: 005930\n  tapes: [kosdaq]\n", "none of krx, nxt, all, us, day"),
        ("symbols:\n- symbol: 005930\n  listing: NAS\n", "for the US only"),
        ("symbols:\n- symbol: '005 930'\n", "not a symbol"),
        ("symbols:\n- symbol: 5930\n", "zeros in front included: 005930"),
        ("symbols:\n- symbol: 005930\n  kinds: []\n", "empty list"),
        ("symbols: []\n", "neither symbols nor files"),
        ("files:\n- file: a.txt\n", "line 2: file \"a.txt\": files of symbols are not read here"),
    ] {
        let error = Universe::from_yaml(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_file_gives_its_tags_to_each_of_its_lines() {
    let yaml = "files:\n- {file: kospi.txt, group: B, tapes: [krx, nxt], core: true, priority: 50}\n\
                - {file: us/mixed.txt, market: us, kinds: [ticker], priority: 7}\n\
                - {file: etf.txt, market: us, listing: AMS}\n";
    let files = [
        (
            "kospi.txt",
            "\u{feff}# KOSPI 200\r\n005930 삼성전자\r\n\r\n000660,SK하이닉스 # memory\r\n0155E0\t\r\n",
        ),
        ("us/mixed.txt", "AAPL NAS Apple Inc\nBRK.B,NYS,Berkshire\n"),
        ("etf.txt", "SPY NASdaq is a name here\n  QQQ NAS\n"),
    ];
    let universe = with(yaml, &files).expect("universe");
    assert_eq!(symbols(&universe), ["AAPL", "BRK/B", "005930", "000660", "0155E0", "SPY", "QQQ"]);
    let listings: Vec<_> = universe.entries.iter().map(|e| e.listing.as_deref().unwrap_or("-")).collect();
    assert_eq!(listings, ["NAS", "NYS", "-", "-", "-", "AMS", "NAS"]);
    let names: Vec<_> = universe.entries.iter().map(|e| e.name.as_deref().unwrap_or("-")).collect();
    assert_eq!(
        names,
        ["Apple Inc", "Berkshire", "삼성전자", "SK하이닉스", "-", "NASdaq is a name here", "-"]
    );
    let samsung = &universe.entries[2];
    assert_eq!((samsung.group, samsung.core, samsung.priority), (Group::B, true, 50));
    assert_eq!(samsung.tapes, [Tape::Krx, Tape::Nxt]);
    assert_eq!(universe.entries[0].kinds, [Kind::Ticker]);
}

#[test]
fn an_entry_wins_over_the_same_symbol_in_a_file() {
    let yaml = "symbols:\n- {symbol: 000660, group: A, priority: 1}\nfiles:\n- {file: a.txt, group: B, core: true, priority: 2}\n";
    let universe = with(yaml, &[("a.txt", "005930\n000660\n")]).expect("universe");
    assert_eq!(symbols(&universe), ["000660", "005930"]);
    let hynix = &universe.entries[0];
    assert_eq!((hynix.group, hynix.core, hynix.priority), (Group::A, false, 1));
}

#[test]
fn the_same_text_in_two_markets_is_two_instruments() {
    let yaml = "files:\n- file: kr.txt\n- {file: us.txt, market: us, listing: NYS}\n";
    let universe = with(yaml, &[("kr.txt", "ABCDEF\n"), ("us.txt", "ABCDEF\n")]).expect("universe");
    assert_eq!(symbols(&universe), ["ABCDEF", "ABCDEF"]);
}

#[test]
fn mistakes_in_files_are_named_with_file_and_line() {
    let two = "files:\n- file: a.txt\n- file: b.txt\n";
    let us = "files:\n- {file: a.txt, market: us}\n";
    for (yaml, a, error) in [
        (
            two,
            "005930\n",
            "b.txt: line 2: symbol \"005930\": listed twice, first in a.txt line 1: leave it in one of them",
        ),
        (
            two,
            "000660\n#\n000660\n",
            "a.txt: line 3: symbol \"000660\": listed twice, first in a.txt line 1: leave it in one of them",
        ),
        (
            two,
            "00593O!\n",
            "a.txt: line 1: symbol \"00593O!\": not a symbol (1 to 15 letters and digits, `/` inside): \"00593O!\"",
        ),
        (
            us,
            "AAPL NAS\nIBM Business Machines\n",
            "a.txt: line 2: symbol \"IBM\": needs listing: NAS, NYS or AMS",
        ),
        ("files:\n- file: gone.txt\n", "", "symbols file: line 2: file \"gone.txt\": no such file"),
        (
            "files:\n\n- {file: a.txt, group: C}\n",
            "",
            "symbols file: line 3: file \"a.txt\": group: \"C\" is none of A, B",
        ),
    ] {
        let found = with(yaml, &[("a.txt", a), ("b.txt", "# b\n005930\n")]).unwrap_err().to_string();
        assert_eq!(found, error);
    }
}

#[test]
fn a_universe_has_an_end() {
    let list = |count: usize| (0..count).map(|n| format!("{n:06}\n")).collect::<String>();
    let yaml = "files:\n- file: a.txt\n";
    assert_eq!(with(yaml, &[("a.txt", &list(20_000))]).expect("universe").entries.len(), 20_000);
    assert_eq!(with(yaml, &[("a.txt", &list(20_001))]).unwrap_err(), UniverseError::TooMany);
    let long = format!("005930 {}\n", "x".repeat(MOST_BYTES));
    assert!(with(yaml, &[("a.txt", &long)]).unwrap_err().to_string().contains("larger than 4194304 bytes"));
}
