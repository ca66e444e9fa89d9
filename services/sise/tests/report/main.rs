//! `sise report` on the real engine: every figure of a small day in the table and in the page, and the page in a real browser.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "../replay/support.rs"]
#[allow(dead_code, reason = "the other tests' servers, used in part")]
mod support;

mod doctor;
mod seed;

use std::path::Path;
use std::process::Command;

use support::House;

async fn fill(house: &House, statements: Vec<String>) {
    for statement in statements {
        assert_eq!(house.text(&statement).await, "", "{statement}");
    }
}

const TABLE: &str = include_str!("small.txt");

#[tokio::test]
async fn the_table_and_the_page_of_a_day() {
    let house = House::build().await;
    fill(&house, seed::small()).await;
    let path = house.folder().join("report.html");
    let file = path.display().to_string();
    let printed = house.sise(&["report", "--date", "2026-11-24", "--market", "kr", "--html", &file]);
    assert_eq!(printed, format!("{TABLE}page: {file}\n"));

    let page = std::fs::read_to_string(&path).expect("page");
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(&page, options).expect("the page is XML");
    let texts = |name: &str| -> Vec<String> {
        let nodes =
            document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/1999/xhtml", name)));
        nodes
            .map(|node| {
                node.descendants().filter(|inner| inner.is_text()).filter_map(|inner| inner.text()).collect()
            })
            .collect()
    };
    let cards = texts("dd");
    let expected =
        ["1 of 31 open, 1 no total", "72told 95", "20", "3041.66 % of stored", "7", "1of 2", "1", "0"];
    assert_eq!(cards, expected);
    let cells = texts("td");
    let gap = ["disconnected", "kis main", "09:00:40 to 09:00:55", "", "closed", "reset <by> & \"peer\""];
    assert!(cells.windows(6).any(|row| row == gap), "{cells:?}");
    let worst = ["000660", "krx", "open", "25", "5", "0", "0", "20", "1", "missing"];
    assert!(cells.windows(10).any(|row| row == worst), "{cells:?}");
    assert_eq!(texts("figure").len(), 6);
    // Each chart in two widths, and nothing that would be fetched.
    let svg = document.descendants().filter(|node| node.tag_name().name() == "svg").count();
    assert_eq!(svg, 12);
    let fetched = ["src", "href"].map(|name| document.descendants().any(|node| node.has_attribute(name)));
    assert_eq!(fetched, [false, false]);
    assert!(!page.contains("url(") && !page.contains("<script") && !page.contains("@import"));

    // A day that is none, and one that has nothing.
    let printed = house.sise(&["report", "--date", "2026-11-22"]);
    assert_eq!(
        printed,
        "2026-11-22 kr: no trading day, and the archive has nothing of it\n\
         2026-11-22 us: no trading day, and the archive has nothing of it\n"
    );
    let printed = house.sise(&["report", "--date", "2026-11-25", "--market", "us", "--html", &file]);
    let first = printed.lines().next();
    assert_eq!(first, Some("2026-11-25 us: a trading day, but the archive has nothing of it"));
    let page = std::fs::read_to_string(&path).expect("page");
    assert!(page.contains("<p>Nothing to show: a trading day, but the archive has nothing of it.</p>"));

    fill(&house, seed::like_a_day()).await;
    house.sise(&["report", "--date", "2026-11-23", "--market", "kr", "--html", &file]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../var/report-page");
    std::fs::create_dir_all(&folder).expect("folder");
    std::fs::copy(&path, folder.join("report.html")).expect("copied");
    for (name, width, is_dark) in [
        ("desktop-light", 1_280, false),
        ("desktop-dark", 1_280, true),
        ("phone-light", 390, false),
        ("phone-dark", 390, true),
    ] {
        look(&folder, name, width, is_dark);
    }
}

/// A picture of the page in a real browser; the browser's own words are no complaint, an empty picture is.
fn look(folder: &Path, name: &str, width: u32, is_dark: bool) {
    let browser = std::env::var_os("SISE_CHROMIUM");
    let browser = browser.expect("SISE_CHROMIUM is not set: the path of a chromium (scripts/test sets it)");
    let picture = folder.join(format!("{name}.png"));
    let _absent = std::fs::remove_file(&picture);
    let profile = tempfile::tempdir().expect("profile");
    let scheme = if is_dark { 0 } else { 1 };
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--window-size={width},4200"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", folder.join("report.html").display()))
        .output()
        .expect("chromium");
    let bytes = std::fs::metadata(&picture).map_or(0, |file| file.len());
    assert!(bytes > 50_000, "{name}: {bytes} bytes: {}", String::from_utf8_lossy(&output.stderr));
}
