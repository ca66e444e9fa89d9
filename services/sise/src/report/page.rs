//! Days' figures → one page of HTML that is also XML: charts inside, no script, no network, both themes, a phone's width.

use std::fmt::Write as _;

use super::charts::{Chart, charts};
use super::figures::Figures;
use super::paint;
use super::tables::{letters, tables};
use super::words::{count, escape, percent};
use crate::json::clock;
use crate::words::grouped;

const STYLE: &str = r#"
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,"Noto Sans KR","Apple SD Gothic Neo","Malgun Gothic",sans-serif}
main{max-width:1040px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:1.5rem;margin:0}h2{font-size:1.2rem;margin:40px 0 12px;padding-top:16px;border-top:1px solid var(--grid)}
h3{font-size:1rem;margin:28px 0 6px}
p{margin:0 0 8px}.note{color:var(--muted);font-size:.87rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:8px;margin:0}
dl div{background:var(--card);border:1px solid var(--grid);border-radius:6px;padding:8px 12px}
dt{color:var(--muted);font-size:.8rem}dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
dd small{display:block;color:var(--muted);font-size:.8rem}dd.bad{color:var(--bad)}
figure{margin:0}figure svg{display:block;width:100%;height:auto}.narrow{display:none}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;padding:0;margin:0 0 6px;font-size:.87rem}
.legend i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px;vertical-align:-1px}
.scroll{overflow-x:auto;border:1px solid var(--grid);border-radius:6px;max-height:520px;overflow-y:auto}
.scroll:focus-visible{outline:2px solid var(--kis-trades)}
table{border-collapse:collapse;width:100%;font-size:.87rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 12px;border-bottom:1px solid var(--grid);white-space:nowrap;vertical-align:top}
td:last-child{white-space:normal;min-width:9em}td.n:last-child{white-space:nowrap;min-width:0}
tbody tr:last-child td{border-bottom:0}
th{position:sticky;top:0;background:var(--card);color:var(--muted);font-weight:600}.n{text-align:right}
@media (max-width:640px){main{padding:16px 12px 48px}.wide{display:none}.narrow{display:block}
dl{grid-template-columns:repeat(2,1fr)}th,td{padding:5px 8px}}
@media print{.scroll{max-height:none;overflow:visible}}
"#;

/// The page. `now_ns` is when it was made, UTC ns.
///
/// # Errors
/// When a chart cannot be drawn.
pub(super) fn page(days: &[Figures], now_ns: i64) -> anyhow::Result<String> {
    let mut titles: Vec<String> = days.iter().map(|one| format!("{} {}", one.date, one.market)).collect();
    titles.dedup();
    let title = format!("sise report: {}", titles.join(", "));
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _infallible = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n<style>\n{}{STYLE}</style>\n\
         </head>\n<body>\n<main>\n<h1>{title}</h1>\n<p class=\"note\">Made {}. Times are those of Seoul.</p>\n",
        paint::rules(),
        clock(now_ns)
    );
    for day in days {
        section(day, &mut html)?;
    }
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(html)
}

fn section(figures: &Figures, html: &mut String) -> anyhow::Result<()> {
    let name = match figures.market {
        market::Market::Kr => "Korea",
        market::Market::Us => "United States",
    };
    let _infallible = writeln!(html, "<section>\n<h2>{name}, {}</h2>", figures.date);
    if let Some(why) = figures.empty() {
        let _infallible = writeln!(html, "<p>Nothing to show: {why}.</p>\n</section>");
        return Ok(());
    }
    cards(figures, html);
    for chart in charts(figures)? {
        figure(&chart, html);
    }
    html.push_str(&tables(figures));
    html.push_str("</section>\n");
    Ok(())
}

fn cards(figures: &Figures, html: &mut String) {
    let [proven, open, no_total] = figures.states;
    let shares = figures.shares;
    let live: u64 =
        figures.report.events.iter().filter(|one| one.origin == "live").map(|one| one.events).sum();
    let refused: u64 = figures.report.refusals.iter().map(|one| one.times).sum();
    let all = figures.report.instruments.len();
    let part = percent(shares.recovered, shares.stored);
    let gaps = figures.report.gaps.len();
    let cards = [
        ("Proven", format!("{proven} of {all}"), format!("{open} open, {no_total} no total"), open > 0),
        ("Shares stored", grouped(shares.stored), format!("told {}", grouped(shares.told)), false),
        ("Shares missing", grouped(shares.missing), String::new(), shares.missing > 0),
        ("Shares recovered", grouped(shares.recovered), format!("{part} of stored"), false),
        ("Live events", count(live), String::new(), false),
        (
            "Gaps open",
            grouped(i64::try_from(figures.open_gaps).unwrap_or(i64::MAX)),
            format!("of {gaps}"),
            figures.open_gaps > 0,
        ),
        ("Refused registrations", count(refused), String::new(), refused > 0),
        ("Dead letters", letters(&figures.letters), String::new(), false),
    ];
    html.push_str("<dl>\n");
    for (name, value, beside, is_bad) in cards {
        let class = if is_bad { " class=\"bad\"" } else { "" };
        let beside = if beside.is_empty() { String::new() } else { format!("<small>{beside}</small>") };
        let _infallible = writeln!(html, "<div><dt>{name}</dt><dd{class}>{value}{beside}</dd></div>");
    }
    html.push_str("</dl>\n");
}

fn figure(chart: &Chart, html: &mut String) {
    let Chart { title, note, legend, wide, narrow } = chart;
    let _infallible = write!(
        html,
        "<figure role=\"group\" aria-label=\"{title}\">\n<h3>{title}</h3>\n<p class=\"note\">{note}</p>\n"
    );
    html.push_str("<ul class=\"legend\">");
    for (hue, name) in legend {
        let _infallible =
            write!(html, "<li><i style=\"background:var(--{})\"></i>{}</li>", hue.name(), escape(name));
    }
    let _infallible = writeln!(
        html,
        "</ul>\n<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>\n</figure>"
    );
}
