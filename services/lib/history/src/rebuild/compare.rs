//! Rows held against known prints as wholes: adjusted prices, or another instrument altogether.

use std::collections::HashMap;

use market::Price;
use market::chain::Print;

use super::{Reading, print};
use crate::proof::Refused;
use crate::row::Row;

/// Fewer pairs than this prove nothing against a list of rows.
const FEWEST_PAIRS: usize = 3;
/// Adjusted prices are rounded to the grid: two ratios are the same if they differ by less than 1 in this.
const SAME_RATIO: i128 = 250;

/// Compares rows with known prints of the same cumulative volume.
pub(super) fn by_volume(rows: &[Row], known: &[Print]) -> (Reading, Option<Refused>) {
    let mut reading = Reading::default();
    let mut prices = Vec::new();
    for row in rows.iter().filter_map(print) {
        let place = known.binary_search_by_key(&row.cumulative_volume, |known| known.cumulative_volume);
        let Ok(place) = place else { continue };
        let known = &known[place];
        if row.is_same(known) {
            reading.matched += 1;
        } else {
            reading.contradicted += 1;
            if row.quantity == known.quantity {
                prices.push((row.price, known.price));
            }
        }
    }
    let compared = reading.matched + reading.contradicted;
    let refused = if reading.contradicted < FEWEST_PAIRS || reading.contradicted <= reading.matched {
        None
    } else {
        Some(
            adjusted(&prices)
                .unwrap_or(Refused::Contradicts { compared, contradicted: reading.contradicted }),
        )
    };
    (reading, refused)
}

/// Compares rows that fit nowhere with known prints of the same second and quantity, where there is one of each only.
pub(super) fn by_second(rows: &[Row], known: &[Print]) -> Option<Refused> {
    let mut prices: HashMap<_, Option<Price>> = HashMap::new();
    for row in rows {
        let price = prices.entry((row.exchange_ns, row.quantity)).or_insert(Some(row.price));
        *price = price.filter(|price| *price == row.price);
    }
    let pair = |print: &Print| {
        let row = prices.get(&(print.exchange_ns, print.quantity)).copied().flatten()?;
        Some((row, print.price))
    };
    let pairs: Vec<(Price, Price)> = known.iter().filter_map(pair).collect();
    adjusted(&pairs)
}

/// Whether all prices differ by one factor that is not 1.
fn adjusted(prices: &[(Price, Price)]) -> Option<Refused> {
    let &(row, known) = prices.first()?;
    let product = |one: Price, other: Price| i128::from(one.units()) * i128::from(other.units());
    let one_factor = prices.iter().all(|&(other_row, other_known)| {
        let (one, other) = (product(row, other_known), product(other_row, known));
        (one - other).abs() * SAME_RATIO < one.max(other)
    });
    let differs = prices.iter().all(|(row, known)| row != known);
    (prices.len() >= FEWEST_PAIRS && one_factor && differs).then_some(Refused::AdjustedPrices { row, known })
}
