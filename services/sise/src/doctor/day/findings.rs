//! A measured day → an answer to each open question, or why there is none.

use std::collections::BTreeMap;

use store::report::{ArrivalOrder, BothBrokers, ChainRate, DayReport};

use super::frames::{Form, Seen, Values};
use super::{Archived, Measured};

/// An open question and what the day says to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub question: &'static str,
    pub measure: &'static str,
    pub figure: String,
    pub means: &'static str,
}

const NOTHING: &str = "nothing seen";
const NOT_KEPT: &str = "not kept";

/// `99.98 % (4,999 of 5,000)`, cut and never rounded up.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NOTHING.to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    format!("{}.{:02} % ({part} of {whole})", hundredths / 100, hundredths % 100)
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().collect();
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join("; ") }
}

fn chains(archived: &Archived, source: &str) -> String {
    let own = archived.chains.iter().filter(|one| one.source == source);
    joined(own.map(|ChainRate { tape, links, whole, .. }| format!("{tape} {}", share(*whole, *links))))
}

fn jumps(archived: &Archived, source: &str) -> String {
    let own = archived.chains.iter().filter(|one| one.source == source);
    joined(own.map(|one| {
        format!(
            "{}: {} at a change of session with {} shares, {} within one with {}, {} overlaps",
            one.tape, one.jumps, one.jump_volume, one.broken, one.broken_volume, one.overlaps
        )
    }))
}

fn order(archived: &Archived, source: &str) -> String {
    let own = archived.order.iter().filter(|one| one.source == source);
    joined(own.map(|ArrivalOrder { tape, in_second, in_second_rising, .. }| {
        format!("{tape} {}", share(*in_second_rising, *in_second))
    }))
}

fn pages(report: &DayReport, method: &str) -> String {
    let own = report.recoveries.iter().filter(|one| one.method == method);
    joined(own.map(|one| format!("{} attempts, {} pages, {} rows", one.attempts, one.asked, one.returned)))
}

fn delays(report: &DayReport, source: &str) -> String {
    let own = report.delays.iter().filter(|one| one.source == source);
    let ms = |ns: i64| ns.div_euclid(1_000_000);
    joined(own.map(|one| {
        format!(
            "{}: least {} ms, p50 {} ms, p90 {} ms, p99 {} ms, most {} ms",
            one.kind.replace('_', " "),
            ms(one.least_ns),
            ms(one.median_ns),
            ms(one.p90_ns),
            ms(one.p99_ns),
            ms(one.most_ns)
        )
    }))
}

/// `62: 10, 65: 3`
fn counts<K: std::fmt::Display>(values: &BTreeMap<K, u64>) -> String {
    values.iter().map(|(value, count)| format!("{value}: {count}")).collect::<Vec<_>>().join(", ")
}

fn codes(seen: Option<&Seen>, wanted: &str) -> String {
    let Some(seen) = seen else { return NOTHING.to_owned() };
    let own = seen.codes.iter().filter(|(name, _)| name.contains(wanted));
    joined(own.map(|(name, values): (&String, &Values)| format!("{name} ({})", counts(values))))
}

fn widths(seen: Option<&Seen>, wanted: impl Fn(&str, &Form) -> bool) -> String {
    let Some(seen) = seen else { return NOTHING.to_owned() };
    let own = seen.forms.iter().filter(|(name, form)| wanted(name, form));
    joined(own.map(|(name, form)| {
        let known = form.known.map_or_else(String::new, |known| format!(", known {known}"));
        format!("{name} ({}{known})", counts(&form.widths))
    }))
}

fn beyond(seen: Option<&Seen>) -> String {
    widths(seen, |_, form| form.known.is_some_and(|known| form.widths.keys().any(|width| *width > known)))
}

fn records(seen: Option<&Seen>) -> String {
    let Some(seen) = seen else { return NOTHING.to_owned() };
    joined(seen.forms.iter().map(|(name, form)| {
        format!("{name} at most {}, {} records in {} frames", form.most, form.records, form.frames)
    }))
}

fn pause(seen: Option<&Seen>) -> String {
    seen.filter(|seen| seen.frames > 0).map_or_else(
        || NOTHING.to_owned(),
        |seen| {
            format!(
                "longest pause {} s, longest connection {} s, {} connections",
                seen.longest_pause_ns / 1_000_000_000,
                seen.longest_life_ns / 1_000_000_000,
                seen.connections
            )
        },
    )
}

fn brokers(both: &[BothBrokers]) -> String {
    joined(both.iter().map(|one| {
        let all = one.both + one.only_kis + one.only_kiwoom;
        format!(
            "{}: ends in common {}, equal of these {}, only kis {}, only kiwoom {}",
            one.tape,
            share(one.both, all),
            share(one.equal, one.both),
            one.only_kis,
            one.only_kiwoom
        )
    }))
}

fn finding(question: &'static str, measure: &'static str, figure: String, means: &'static str) -> Finding {
    Finding { question, measure, figure, means }
}

fn journal<'a>(day: &'a Measured, service: &str) -> Option<&'a Seen> {
    day.journals.iter().find(|(name, _)| *name == service).map(|(_, seen)| seen)
}

/// Kiwoom's questions, in the order of their list.
pub(super) fn kiwoom(day: &Measured) -> Vec<Finding> {
    let mut all = kiwoom_chain(day);
    all.extend(kiwoom_form(day));
    all
}

fn kiwoom_chain(day: &Measured) -> Vec<Finding> {
    vec![
        finding(
            "1. Chain rate of FID 13 on bare (krx), _NX (nxt), _AL (all)",
            "live prints that begin where the one before ends",
            chains(&day.kr, "kiwoom"),
            "near 100 %: FID 13 is a sequence number; what is missing then is lost, not rounding",
        ),
        finding(
            "1. Is each 0B one row of ka10084 or ka10079?",
            "needs the pages beside the live prints",
            format!("{NOT_KEPT}; recoveries by ka10084: {}", pages(&day.kr.report, "ka10084")),
            "rows that came and trades that were added stand in view recoveries",
        ),
        finding(
            "2. Order inside a second",
            "live prints of one second whose FID 13 rises as they come",
            order(&day.kr, "kiwoom"),
            "below 100 %: rows of a second cannot be matched by their order",
        ),
        finding(
            "3. How far ka10084 pages back, 4. next-key of ka10079",
            "pages and rows of the day's recoveries",
            format!(
                "ka10084: {}; ka10079: {}",
                pages(&day.kr.report, "ka10084"),
                pages(&day.kr.report, "ka10079")
            ),
            "the keys of pages are not kept",
        ),
    ]
}

fn kiwoom_form(day: &Measured) -> Vec<Finding> {
    let seen = journal(day, "kiwoom-service");
    vec![
        finding(
            "5. FID 9081 and 290 by tape",
            "values in 0B and 0D",
            format!("{}; {}", codes(seen, "FID 9081"), codes(seen, "FID 290")),
            "values beside 1, 2, 3, KRX, NXT are new",
        ),
        finding("5. FID 215 in 0s", "values in 0s", codes(seen, "FID 215"), "V and W were told of by users"),
        finding(
            "6. Rate bucket, 7. second token, 8. scope of refresh",
            "needs trials with the account",
            NOT_KEPT.to_owned(),
            "nothing of it is tried on a running day",
        ),
        finding(
            "9. Does a session outlive its token? Cadence of PING",
            "pauses and lives of connections; control messages are not kept",
            pause(seen),
            "a connection of more than 24 hours outlived its token",
        ),
        finding(
            "10. Do off-hours and block trades enter FID 13?",
            "shares between prints that no print covers",
            jumps(&day.kr, "kiwoom"),
            "shares at a change of session: yes, without a 0B",
        ),
        finding(
            "Arrival delay",
            "received minus exchange time (whole seconds)",
            delays(&day.kr.report, "kiwoom"),
            "up to 1,000 ms of it are rounding",
        ),
        finding(
            "Records a frame",
            "rows of one type in one REAL",
            records(seen),
            "how far one frame may lag",
        ),
        finding(
            "Fields beyond the known",
            "FIDs a row",
            beyond(seen),
            "the broker sends more than its documents list",
        ),
    ]
}

/// The questions to KIS, in the order of their list.
pub(super) fn kis(day: &Measured) -> Vec<Finding> {
    let mut all = kis_asked(day);
    all.extend(kis_chain(day));
    all.extend(kis_form(day));
    all
}

fn kis_asked(day: &Measured) -> Vec<Finding> {
    let (korea, us) = (journal(day, "kis-service"), journal(day, "us-service"));
    vec![
        finding(
            "1. Width and tail of H0NXASP0, H0UNASP0",
            "fields a record",
            widths(korea, |name, _| name.ends_with("ASP0") && name.starts_with("H0")),
            "62 or 65: with or without the tail",
        ),
        finding(
            "2. MARKET_CLS_CODE, NEW_MKOP_CLS_CODE by phase; 3. MTYP",
            "codes of trades",
            "see the tables of codes".to_owned(),
            "one code in one phase: it can be trusted",
        ),
        finding(
            "4. Is the 100 s limit of PINGPONG real?",
            "pauses and lives of connections; control messages are not kept",
            format!("kr: {}; us: {}", pause(korea), pause(us)),
            "a connection that lived on after a pause of more than 100 s answered its PINGPONG",
        ),
        finding(
            "5. REST limits",
            "needs trials with the account",
            NOT_KEPT.to_owned(),
            "nothing of it is tried on a running day",
        ),
        finding(
            "6. Rows a page of FHPST01060000 and HHDFS76200300",
            "pages and rows of the day's recoveries",
            format!(
                "fhpst01060000: {}; hhdfs76200300: {}",
                pages(&day.kr.report, "fhpst01060000"),
                pages(&day.us.report, "hhdfs76200300")
            ),
            "rows by pages: the cap",
        ),
        finding(
            "7. Item 10 of the market-operation TRs",
            "values",
            codes(korea, "EXCH_CLS_CODE"),
            "which venue a notice is of",
        ),
    ]
}

fn kis_chain(day: &Measured) -> Vec<Finding> {
    vec![
        finding(
            "Chain rate of ACML_VOL by tape",
            "live prints that begin where the one before ends",
            chains(&day.kr, "kis"),
            "near 100 %: what is missing then is lost",
        ),
        finding(
            "Off-hours jumps",
            "shares that no print covers",
            jumps(&day.kr, "kis"),
            "volume without a tick",
        ),
        finding(
            "US chain rate, EVOL against TVOL",
            "as above; a captured record breaks its chain",
            format!("{}; {}", chains(&day.us, "kis"), jumps(&day.us, "kis")),
            "below 100 % within a session: TVOL counts what is not sent, and cannot prove a US day",
        ),
        finding(
            "Order inside a second",
            "live prints of one second whose volume rises as they come",
            format!("kr: {}; us: {}", order(&day.kr, "kis"), order(&day.us, "kis")),
            "below 100 %: rows of a second cannot be matched by their order",
        ),
    ]
}

fn kis_form(day: &Measured) -> Vec<Finding> {
    let (korea, us) = (journal(day, "kis-service"), journal(day, "us-service"));
    vec![
        finding(
            "Arrival delay",
            "received minus exchange time (whole seconds)",
            format!("kr: {}; us: {}", delays(&day.kr.report, "kis"), delays(&day.us.report, "kis")),
            "up to 1,000 ms of it are rounding",
        ),
        finding(
            "Records a frame",
            "records of one TR",
            format!("{}; {}", records(korea), records(us)),
            "how far one frame may lag",
        ),
        finding(
            "Fields beyond the known",
            "fields a record",
            format!("kr: {}; us: {}", beyond(korea), beyond(us)),
            "the broker has lengthened its records: look at their tail",
        ),
        finding(
            "Do both brokers cut trades alike?",
            "ends of prints on the line of shares, instruments that both brought",
            brokers(&day.kr.both),
            "equal prints: either broker's record proves the other's",
        ),
    ]
}
