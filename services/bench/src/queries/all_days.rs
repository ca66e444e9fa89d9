//! What no worked query asks: one symbol over all days. What a sort key gives to questions about a whole day it takes from
//! these.

use super::Query;
use super::fill::{Plan, symbol};

/// Of the symbol with the most prints and of that with the fewest, then of the books of the first.
pub fn queries(plan: Plan) -> [Query; 3] {
    let (active, quiet) = (symbol(0), symbol(plan.symbols - 1));
    let query = |name: &str, symbol: &str, columns: &str, table: &str| Query {
        name: format!("{name}_of_all_days"),
        sql: format!(
            "SELECT trade_date, count() AS rows, {columns} FROM {table} \
             WHERE market = {{market:String}} AND symbol = '{symbol}' GROUP BY trade_date ORDER BY trade_date"
        ),
    };
    let prints = "sum(quantity) AS volume, max(price) AS high, min(price) AS low";
    [
        query("active_symbol", &active, prints, "trades"),
        query("quiet_symbol", &quiet, prints, "trades"),
        query("books", &active, "max(ask_quantities[1]) AS largest", "order_books"),
    ]
}
