//! The symbols file as written → entries, and the tags that a file of symbols gives to each of its lines.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Entry, Group, Kind, MOST_NAME, UniverseError};
use crate::instrument::{Market, Source, Tape};
use crate::symbol::Symbol;

/// An instrument without a priority comes after those that have one.
const LAST_PRIORITY: u32 = 1_000;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUniverse {
    #[serde(default)]
    pub(super) symbols: Vec<RawEntry>,
    #[serde(default)]
    pub(super) files: Vec<RawFile>,
}

/// Defines what is written in one mapping: its own fields, and the tags that an entry and a file have alike. (A shared
/// struct by `serde(flatten)` would buffer the values and guess their types: 005930 would be a number.)
macro_rules! tagged {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),+ }) => {
        $(#[$meta])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_meta])* pub(super) $field: $type,)+
            #[serde(default)]
            market: Option<String>,
            #[serde(default)]
            listing: Option<String>,
            #[serde(default)]
            tapes: Option<Vec<String>>,
            #[serde(default)]
            kinds: Option<Vec<String>>,
            #[serde(default)]
            source: Option<Vec<String>>,
            #[serde(default)]
            group: Option<String>,
            #[serde(default)]
            core: bool,
            #[serde(default)]
            priority: Option<u32>,
        }

        impl $name {
            fn tags(self) -> Result<Tags, String> {
                let market = one("market", self.market, Market::Kr, Market::from_word, Market::ALL)?;
                let (tape, all) = match market {
                    Market::Kr => (Tape::Krx, vec![Source::Kis, Source::Kiwoom]),
                    Market::Us => (Tape::Us, vec![Source::Kis]),
                };
                let tags = Tags {
                    market,
                    listing: self.listing,
                    tapes: many("tapes", self.tapes, vec![tape], Tape::from_word, Tape::ALL)?,
                    kinds: many("kinds", self.kinds, Kind::ALL.to_vec(), Kind::from_word, Kind::ALL)?,
                    sources: many("source", self.source, all, Source::from_word, Source::ALL)?,
                    group: one("group", self.group, Group::A, Group::from_word, Group::ALL)?,
                    core: self.core,
                    priority: self.priority.unwrap_or(LAST_PRIORITY),
                };
                tags.checked()
            }
        }
    };
}

tagged! {
    /// One instrument.
    RawEntry {
        symbol: Spanned<String>,
        /// For people.
        #[serde(default)]
        name: Option<String>
    }
}

tagged! {
    /// A file of symbols, and the tags of all in it.
    RawFile { file: Spanned<String> }
}

/// What an entry says of its instrument, and a file of all of its own.
pub(super) struct Tags {
    market: Market,
    listing: Option<String>,
    tapes: Vec<Tape>,
    kinds: Vec<Kind>,
    sources: Vec<Source>,
    group: Group,
    core: bool,
    priority: u32,
}

impl RawUniverse {
    pub(super) fn read(text: &str) -> Result<Self, UniverseError> {
        let raw: Self = serde_saphyr::from_str(text).map_err(|e| UniverseError::Form(e.to_string()))?;
        if raw.symbols.is_empty() && raw.files.is_empty() {
            let problem =
                "neither symbols nor files: write a list under symbols:, one `- symbol: 005930` a line";
            return Err(UniverseError::Form(problem.to_owned()));
        }
        Ok(raw)
    }
}

impl RawEntry {
    pub(super) fn line(&self) -> u64 {
        self.symbol.referenced.line()
    }

    pub(super) fn checked(self) -> Result<Entry, String> {
        let (written, name) = (self.symbol.value.clone(), self.name.clone());
        self.tags()?.entry(&written, None, name.as_deref())
    }
}

impl RawFile {
    pub(super) fn line(&self) -> u64 {
        self.file.referenced.line()
    }

    pub(super) fn checked(self) -> Result<Tags, String> {
        self.tags()
    }
}

impl Tags {
    pub(super) const fn market(&self) -> Market {
        self.market
    }

    fn checked(self) -> Result<Self, String> {
        let market = self.market;
        if let Some(tape) = self.tapes.iter().find(|tape| tape.market() != market) {
            return Err(format!("tape {tape} is not of market {market}"));
        }
        if market == Market::Us && self.sources.contains(&Source::Kiwoom) {
            return Err(
                "source: kiwoom does not carry market us: write [kis], or leave source out".to_owned()
            );
        }
        match (market, self.listing.as_deref()) {
            (Market::Kr, Some(_)) => Err("listing is for the US only".to_owned()),
            (Market::Us, Some(listing)) if !is_listing(listing) => {
                Err(format!("listing: {listing:?} is none of NAS, NYS, AMS"))
            }
            _ => Ok(self),
        }
    }

    /// The instrument `written` with these tags; `listing` is its own and wins.
    pub(super) fn entry(
        &self,
        written: &str,
        listing: Option<&str>,
        name: Option<&str>,
    ) -> Result<Entry, String> {
        let symbol = Symbol::parse(written).map_err(|e| e.to_string())?;
        if written.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(format!("write it in capitals: {}", written.to_ascii_uppercase()));
        }
        // A spreadsheet eats the zeros in front, and a broker accepts what remains and never sends anything.
        if self.market == Market::Kr && written.len() < 6 {
            return Err(format!(
                "Korean symbols have 6 characters or more, zeros in front included: {written:0>6}"
            ));
        }
        let listing = listing.or(self.listing.as_deref());
        if self.market == Market::Us && listing.is_none() {
            return Err("needs listing: NAS, NYS or AMS".to_owned());
        }
        Ok(Entry {
            symbol,
            name: name.map(called).filter(|name| !name.is_empty()),
            market: self.market,
            listing: listing.map(ToOwned::to_owned),
            tapes: self.tapes.clone(),
            kinds: self.kinds.clone(),
            sources: self.sources.clone(),
            group: self.group,
            core: self.core,
            priority: self.priority,
        })
    }
}

/// A name without what does not belong into one line, cut where it is too long.
fn called(text: &str) -> String {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    plain.chars().filter(|letter| !letter.is_control()).take(MOST_NAME).collect()
}

/// Whether KIS knows the US listing market by this word.
pub(super) fn is_listing(text: &str) -> bool {
    matches!(text, "NAS" | "NYS" | "AMS")
}

fn one<T: Copy + std::fmt::Display>(
    key: &str,
    given: Option<String>,
    default: T,
    read: impl Fn(&str) -> Option<T>,
    all: &[T],
) -> Result<T, String> {
    let Some(text) = given else { return Ok(default) };
    read(&text).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(ToString::to_string).collect();
        format!("{key}: {text:?} is none of {}", known.join(", "))
    })
}

fn many<T: Copy + PartialEq + std::fmt::Display>(
    key: &str,
    given: Option<Vec<String>>,
    default: Vec<T>,
    read: impl Fn(&str) -> Option<T>,
    all: &[T],
) -> Result<Vec<T>, String> {
    let Some(texts) = given else { return Ok(default) };
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        let value = one(key, Some(text), all[0], &read, all)?;
        if values.contains(&value) {
            return Err(format!("{key}: {value} stands there twice"));
        }
        values.push(value);
    }
    if values.is_empty() {
        Err(format!("{key}: empty list; leave the key out for the default"))
    } else {
        Ok(values)
    }
}
