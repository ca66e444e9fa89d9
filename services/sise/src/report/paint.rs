//! The colours of the report: one in the charts' own light form, and its dark one by a rule of the page.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hue {
    Ink,
    Muted,
    Grid,
    KisTrades,
    KisBooks,
    KiwoomTrades,
    KiwoomBooks,
    Good,
    Recovered,
    OffHours,
    Bad,
}

const ALL: [Hue; 11] = [
    Hue::Ink,
    Hue::Muted,
    Hue::Grid,
    Hue::KisTrades,
    Hue::KisBooks,
    Hue::KiwoomTrades,
    Hue::KiwoomBooks,
    Hue::Good,
    Hue::Recovered,
    Hue::OffHours,
    Hue::Bad,
];

impl Hue {
    /// The name of its custom property.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ink => "ink",
            Self::Muted => "muted",
            Self::Grid => "grid",
            Self::KisTrades => "kis-trades",
            Self::KisBooks => "kis-books",
            Self::KiwoomTrades => "kiwoom-trades",
            Self::KiwoomBooks => "kiwoom-books",
            Self::Good => "good",
            Self::Recovered => "recovered",
            Self::OffHours => "off-hours",
            Self::Bad => "bad",
        }
    }

    const fn light(self) -> (u8, u8, u8) {
        match self {
            Self::Ink => (0x1f, 0x23, 0x28),
            Self::Muted => (0x59, 0x63, 0x6e),
            Self::Grid => (0xd8, 0xde, 0xe4),
            Self::KisTrades => (0x0b, 0x5f, 0xcc),
            Self::KisBooks => (0x7c, 0xb7, 0xf5),
            Self::KiwoomTrades => (0xb3, 0x59, 0x00),
            Self::KiwoomBooks => (0xe8, 0xb2, 0x7a),
            Self::Good => (0x2d, 0x8a, 0x4e),
            Self::Recovered => (0x6f, 0x4b, 0xc6),
            Self::OffHours => (0xa8, 0xb0, 0xb9),
            Self::Bad => (0xcf, 0x22, 0x2e),
        }
    }

    const fn dark(self) -> (u8, u8, u8) {
        match self {
            Self::Ink => (0xe6, 0xed, 0xf3),
            Self::Muted => (0x9d, 0xa7, 0xb3),
            Self::Grid => (0x2f, 0x37, 0x41),
            Self::KisTrades => (0x6c, 0xb0, 0xff),
            Self::KisBooks => (0x2f, 0x6f, 0xbb),
            Self::KiwoomTrades => (0xf0, 0xa0, 0x4b),
            Self::KiwoomBooks => (0x96, 0x60, 0x25),
            Self::Good => (0x3f, 0xb9, 0x50),
            Self::Recovered => (0xb0, 0x8b, 0xf5),
            Self::OffHours => (0x6b, 0x75, 0x80),
            Self::Bad => (0xff, 0x6b, 0x63),
        }
    }

    /// The colour in a chart.
    pub(super) const fn paint(self) -> RGBColor {
        let (red, green, blue) = self.light();
        RGBColor(red, green, blue)
    }
}

/// The trades or order books of a broker.
pub(super) fn of(source: &str, kind: &str) -> Hue {
    match (source, kind) {
        ("kiwoom", "trades") => Hue::KiwoomTrades,
        ("kiwoom", _) => Hue::KiwoomBooks,
        (_, "trades") => Hue::KisTrades,
        _ => Hue::KisBooks,
    }
}

/// Custom properties of both themes, and rules that give a chart's colours the values of the theme.
pub(super) fn rules() -> String {
    let (mut light, mut dark, mut charts) = (String::new(), String::new(), String::new());
    for hue in ALL {
        let name = hue.name();
        let hex = |(red, green, blue): (u8, u8, u8)| format!("#{red:02X}{green:02X}{blue:02X}");
        let (bright, dim) = (hex(hue.light()), hex(hue.dark()));
        // Writing to a String cannot fail.
        let _infallible = write!(light, "--{name}:{bright};");
        let _infallible = write!(dark, "--{name}:{dim};");
        let _infallible = writeln!(
            charts,
            "svg [fill=\"{bright}\"]{{fill:var(--{name})}}svg [stroke=\"{bright}\"]{{stroke:var(--{name})}}"
        );
    }
    format!(
        ":root{{color-scheme:light dark;--paper:#FFFFFF;--card:#F6F8FA;{light}}}\n\
         @media (prefers-color-scheme:dark){{:root{{--paper:#0F1419;--card:#171D24;{dark}}}}}\n{charts}"
    )
}
