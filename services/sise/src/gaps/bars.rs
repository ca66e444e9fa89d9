//! The steps of a run as bars in a terminal; nothing when there is none.

use std::time::Duration;

use history::progress::{Progress, Step};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a bar that waits moves.
const TICK: Duration = Duration::from_millis(200);

/// One bar for the present phase, one line for what it does now.
pub(super) struct Bars {
    bars: MultiProgress,
    bar: ProgressBar,
}

impl Bars {
    /// Bars on standard error; hidden when that is no terminal.
    pub(super) fn new() -> Self {
        let bars = MultiProgress::new();
        let bar = bars.add(ProgressBar::no_length());
        bar.enable_steady_tick(TICK);
        Self { bars, bar }
    }

    /// Takes the bars away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        // A terminal that is gone needs no clearing.
        let _cleared = self.bars.clear();
    }

    fn counted(&self, what: &'static str, count: usize) {
        let style = ProgressStyle::with_template("{prefix:<22} {bar:30} {pos}/{len}  {elapsed}  {wide_msg}");
        if let Ok(style) = style {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(what);
        self.bar.set_length(u64::try_from(count).unwrap_or(u64::MAX));
        self.bar.set_position(0);
        self.bar.set_message(String::new());
    }

    fn waiting(&self, what: String) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_message(what);
    }
}

impl Progress for Bars {
    fn tell(&self, step: &Step<'_>) {
        match step {
            Step::Day { market, trade_date } => {
                self.waiting(format!("{trade_date} {market}: bus and archive"))
            }
            Step::Stream { stream, lacking, archived } => {
                self.waiting(format!("{stream}: archive lacked {lacking}, {archived} archived now"));
            }
            Step::Instruments { count } => self.counted("instruments", *count),
            Step::Instrument { of, outcome } => {
                self.bar.inc(1);
                if outcome.pages > 0 {
                    let (symbol, tape) = (of.symbol, of.tape);
                    self.bar.set_message(format!(
                        "{symbol} {tape}: {} pages, {} trades added",
                        outcome.pages, outcome.added
                    ));
                }
            }
            Step::Waiting { messages, waited } => {
                self.waiting(format!(
                    "{messages} messages on their way to the archive, {} s",
                    waited.as_secs()
                ));
            }
            Step::Proofs { count } => self.counted("read again", *count),
            Step::Proof { .. } => self.bar.inc(1),
        }
    }
}
