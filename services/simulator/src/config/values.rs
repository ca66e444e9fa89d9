//! Single values of section `[simulator]`: lists, weights, symbols, layouts and faults turn from text into what they
//! mean, or into an error with their key.

use std::collections::HashMap;

use process::ConfigError;
use serde::Deserialize;

use super::Layout;
use crate::script::Fault;

/// A list, or text with commas.
#[derive(Debug, Default)]
pub(super) struct List(pub Vec<String>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Numbers(Vec<u64>),
            Words(Vec<String>),
            Text(String),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Numbers(numbers) => numbers.iter().map(u64::to_string).collect(),
            Form::Words(words) => words,
            Form::Text(text) => {
                text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
            }
        }))
    }
}

/// A list of faults, or the same as JSON text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Faults {
    Many(Vec<Fault>),
    Text(String),
}

pub(super) fn weights(words: &[String]) -> Result<Vec<u32>, ConfigError> {
    let key = "simulator.records_per_frame";
    let parse =
        |word: &String| word.parse::<u32>().map_err(|e| ConfigError::invalid(key, format!("`{word}`: {e}")));
    let weights = words.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let sum: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    if weights.len() > 9 || sum == 0 || sum > 1_000_000 {
        return Err(ConfigError::invalid(key, "give 1 to 9 weights, for example 71,14,7 (1, 2, 3 records)"));
    }
    Ok(weights)
}

pub(super) fn layout(text: &str) -> Result<Layout, ConfigError> {
    match text {
        "2023" => Ok(Layout::Y2023),
        "2025" => Ok(Layout::Y2025),
        "2026" => Ok(Layout::Y2026),
        _ => Err(ConfigError::invalid("simulator.layout", "must be 2023, 2025 or 2026")),
    }
}

pub(super) fn faults(raw: Faults) -> Result<Vec<Fault>, ConfigError> {
    match raw {
        Faults::Many(faults) => Ok(faults),
        Faults::Text(text) => {
            serde_json::from_str(&text).map_err(|e| ConfigError::invalid("simulator.faults", e))
        }
    }
}

/// `005930:70000:100` (price in won) or `AAPL:169.79:60` (in dollars): symbol, base price, weight.
pub(super) fn symbols(words: &[String]) -> Result<HashMap<String, (i64, u32)>, ConfigError> {
    let parse = |word: &String| {
        let wrong =
            || ConfigError::invalid("simulator.symbols", format!("`{word}`: write SYMBOL:PRICE:WEIGHT"));
        let mut parts = word.split(':');
        let (Some(symbol), Some(price), Some(weight), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let korean =
            crate::market::catalog::korean(symbol).is_ok() && symbol.bytes().any(|b| b.is_ascii_digit());
        let price = base_price(price, if korean { 0 } else { 4 }).ok_or_else(wrong)?;
        let weight =
            weight.parse::<u32>().ok().filter(|weight| (1..=10_000).contains(weight)).ok_or_else(wrong)?;
        Ok((symbol.to_owned(), (price, weight)))
    };
    words.iter().map(parse).collect()
}

/// A positive decimal text in `10^-decimals`; at most 10 million won or 100,000 dollars.
fn base_price(text: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > decimals || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let units = format!("{whole}{fraction:0<decimals$}").parse::<i64>().ok()?;
    // 5,000 won: below, the middle of two prices is no whole won. 1 dollar: below, the grid is finer than cents.
    let lowest = if decimals == 0 { 5_000 } else { 10_000 };
    (lowest..=if decimals == 0 { 10_000_000 } else { 1_000_000_000 }).contains(&units).then_some(units)
}
