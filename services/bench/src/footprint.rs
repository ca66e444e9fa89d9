//! What each process of a whole sise costs while simulated brokers send at a steady rate: processor seconds of a million
//! events, the most memory; and the bytes of an event in JetStream, in the journal and in ClickHouse. Everything that was sent
//! must be archived.

mod kept;
pub mod stack;

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use crate::footprint::stack::{Sent, Stack};
use crate::measure::{Limit, Measure};
use crate::options::Options;
use crate::servers::house::House;
use crate::servers::services::{cpu_seconds, peak_mb};

const BENCH: &str = "footprint";
/// Every service stays below, in MB.
const MEMORY: f64 = 64.0;
/// What starts is not measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// Nothing that is waited for takes longer.
pub const LIMIT: Duration = Duration::from_secs(120);

/// How much is sent, and for how long.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Events a second, of all services together.
    rate: u64,
    warm_up: Duration,
    seconds: Duration,
}

/// Runs everything once.
///
/// # Errors
/// When a process fails, or something else is archived than was sent.
pub async fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let plan = if options.smoke {
        Plan { rate: 300, warm_up: Duration::ZERO, seconds: Duration::from_secs(3) }
    } else {
        Plan { rate: 5_000, warm_up: WARM_UP, seconds: Duration::from_secs(60) }
    };
    let mut house = House::start(options, &options.folder.join(BENCH)).await?;
    let measures = at(&mut house, plan).await?;
    house.end().await?;
    Ok(measures)
}

async fn at(house: &mut House, plan: Plan) -> anyhow::Result<Vec<Measure>> {
    let mut stack = Stack::start(house, plan.rate).await?;
    stack.wait_for_events().await?;
    sleep(plan.warm_up).await;
    let (before, began) = (used(&stack, house)?, stack.sent().await?);
    sleep(plan.seconds).await;
    let ended = stack.stop().await?;
    let archived = stack.wait_for_rows(house, ended).await?;
    let after = used(&stack, house)?;
    ensure!(archived == ended, "sent and archived are not the same: {ended:?}, {archived:?}");

    let mut measures = Vec::new();
    let all = ended.all() - began.all();
    for ((process, cpu), (_, cpu_before)) in after.iter().zip(&before) {
        // Each service by the events of its own; who serves all of them by all.
        let events = ended.of(process).zip(began.of(process)).map_or(all, |(ended, began)| ended - began);
        ensure!(events > 0, "{process} was sent nothing");
        let millions = float(events) / 1e6;
        let title = format!("{process}_cpu");
        measures.push(Measure::alone(BENCH, title, (cpu - cpu_before) / millions, "s/million events"));
    }
    for (process, pid) in stack.pids(house) {
        let memory = Measure::alone(BENCH, format!("{process}_memory"), peak_mb(pid)?, "MB");
        let ours = stack.is_service(process);
        measures.push(if ours { memory.limit(Limit::AtMost(MEMORY)) } else { memory });
    }
    let seconds = plan.seconds.as_secs_f64();
    measures.push(Measure::alone(BENCH, "rate", float(all) / seconds, "events/s"));
    stack.end().await?;
    house.clickhouse.quiet().await?;
    measures.extend(kept::measures(house, ended).await?);
    Ok(measures)
}

/// Processor seconds of each process so far.
fn used(stack: &Stack, house: &House) -> anyhow::Result<Vec<(&'static str, f64)>> {
    stack.pids(house).into_iter().map(|(process, pid)| Ok((process, cpu_seconds(pid)?))).collect()
}

/// Counts far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "counts of events and bytes")]
pub const fn float(count: u64) -> f64 {
    count as f64
}

impl Sent {
    /// What one service was sent; none for who serves all of them.
    fn of(&self, process: &str) -> Option<u64> {
        match process {
            "kis-service" => Some(self.kis),
            "us-service" => Some(self.us),
            "kiwoom-service" => Some(self.kiwoom),
            _ => None,
        }
    }
}
