//! `sise failover`: who carries which group and how the brokers are; gives a group to another broker, or back to the
//! machine's care. It changes the group's entry, as a cell does; the cells follow.

mod print;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use market::ownership::{self, CALM_NS};
use market::universe::Universe;
use market::{ChangedBy, Group, Market, Ownership, Source};
use process::config::Sources;
use tokio::time::Instant;

use crate::look::board::{Board, State};
use crate::{symbols, tap};

/// How long the bus may take to be there: a person waits.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long the new owner may take until it carries the group; then the command ends all the same.
const CARRY_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at the new owner.
const LOOK: Duration = Duration::from_millis(250);

/// Shows who carries which group; gives one to another broker.
#[derive(clap::Args)]
pub struct Failover {
    /// The group, A or B; without it all are shown.
    #[arg(value_parser = group)]
    group: Option<Group>,
    /// Give the group to this broker, kis or kiwoom. It goes home again when its home has been healthy for a minute.
    #[arg(long, value_name = "BROKER", requires = "group", conflicts_with = "auto", value_parser = source)]
    to: Option<Source>,
    /// With --to: it stays there until --auto. While that broker is dead the other carries it.
    #[arg(long, requires = "to")]
    hold: bool,
    /// Hold the group no longer: it goes home when its home has been healthy for a minute.
    #[arg(long, requires = "group")]
    auto: bool,
    /// The market, kr or us.
    #[arg(long, default_value = "kr", value_parser = market)]
    market: Market,
    /// Print one object of JSON.
    #[arg(long)]
    json: bool,
}

fn group(text: &str) -> Result<Group, String> {
    Group::from_word(&text.to_uppercase()).ok_or_else(|| "groups are A and B".to_owned())
}

fn source(text: &str) -> Result<Source, String> {
    Source::from_word(text).ok_or_else(|| "brokers are kis and kiwoom".to_owned())
}

fn market(text: &str) -> Result<Market, String> {
    Market::from_word(text).ok_or_else(|| "markets are kr and us".to_owned())
}

/// Runs the command: shows, or changes and then shows.
///
/// # Errors
/// When the bus is away or the change can have no effect; the text says why.
pub async fn run(command: &Failover, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let sources = Sources::new("sise", config);
    let raw: tap::Raw = sources.load()?;
    let client = bus::connect(&raw.nats, "sise").await?;
    if !bus::connected(&client, CONNECT_LIMIT).await {
        let seconds = CONNECT_LIMIT.as_secs();
        bail!("no nats-server within {seconds} s, or it refuses user sise: see nats.url and nats.passwords");
    }
    let board = Board::open(&bus::jetstream(client), command.market).await?;
    let mut state = board.look().await?;
    if let Some(group) = command.group {
        if command.to.is_some() || command.auto {
            let entry = match command.to {
                Some(to) => {
                    let universe = symbols::configured(config)?;
                    state.given(&universe, group, to, command.hold)?
                }
                None => state.released(group)?,
            };
            change(&board, group, &entry, state.revision(group)).await?;
            state = carried(&board, group, entry.owner).await?;
        }
        state.groups.retain(|(one, _)| *one == group);
    }
    let mut output = std::io::stdout().lock();
    if command.json { print::json(&mut output, &state) } else { print::text(&mut output, &state) }
        .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

async fn change(board: &Board, group: Group, entry: &Ownership, revision: u64) -> anyhow::Result<()> {
    board.replace(group, entry, revision).await.with_context(|| format!("group {group} was not changed"))
}

/// Waits until the new owner carries the group, or not any longer.
async fn carried(board: &Board, group: Group, owner: Source) -> anyhow::Result<State> {
    let deadline = Instant::now() + CARRY_LIMIT;
    loop {
        let state = board.look().await?;
        let carries = state.health(owner).is_some_and(|health| health.carries.contains(&group));
        if carries {
            return Ok(state);
        }
        if Instant::now() >= deadline {
            eprintln!(
                "sise: {owner} does not carry all of group {group} yet: its log names what has no room"
            );
            return Ok(state);
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl State {
    /// The entry that gives a group to a broker.
    fn given(&self, universe: &Universe, group: Group, to: Source, hold: bool) -> anyhow::Result<Ownership> {
        let market = self.market;
        let all: Vec<Source> = self.feeds.iter().map(|(source, _)| *source).collect();
        if !all.contains(&to) {
            bail!("{to} sends nothing of market {market}");
        }
        let candidates = ownership::candidates(universe, market, group, &all);
        if !candidates.contains(&to) {
            bail!(
                "no symbol of group {group} in market {market} may be carried by {to}: see source in the symbols file"
            );
        }
        if let Some(trouble) = self.trouble(to) {
            bail!("{trouble}: group {group} stays where it is");
        }
        let own: Vec<Group> = Group::ALL.iter().copied().filter(|one| one.home() == to).collect();
        let groups = [own, vec![group]].concat();
        let guests = universe.carried_groups(market, to, &all, &groups, &[]).guests;
        let health = self.health(to);
        let carries = health.is_some_and(|health| health.carries.contains(&group));
        let full = health.is_some_and(|health| health.free_in_all() == 0);
        if !carries && full && !guests.is_empty() {
            bail!("{to} has no registration free: nothing of group {group} would fit");
        }
        let from = self.owner(group);
        let known = self.entry(group).map(|entry| &entry.value);
        let held = known.and_then(|entry| entry.hold);
        let hold = hold.then_some(to);
        if from == to && held == hold {
            let how = if hold.is_some() { "and is held there" } else { "and is not held" };
            bail!("{to} owns group {group} already, {how}");
        }
        // Who gives up a living feed misses nothing: the new owner has the data first.
        let is_dead = from != to && self.trouble(from).is_some();
        let missed = self.health(from).filter(|_| is_dead).and_then(|health| health.last_frame_ns);
        Ok(self.by_hand(from, to, hold, missed, known))
    }

    /// The entry that holds a group no longer.
    fn released(&self, group: Group) -> anyhow::Result<Ownership> {
        let entry = self.entry(group).map(|entry| &entry.value);
        let Some(entry) = entry.filter(|entry| entry.hold.is_some()) else {
            bail!("group {group} is not held: its owner is chosen by the brokers' health already");
        };
        Ok(self.by_hand(entry.owner, entry.owner, None, None, Some(entry)))
    }

    fn by_hand(
        &self,
        from: Source,
        to: Source,
        hold: Option<Source>,
        missed_since_ns: Option<i64>,
        known: Option<&Ownership>,
    ) -> Ownership {
        let why = match (from == to, hold) {
            (true, None) => "released by hand",
            (true, Some(_)) => "held by hand",
            (false, _) => "given by hand",
        };
        let calm = |entry: &&Ownership| self.now_ns.saturating_sub(entry.since_ns) < CALM_NS;
        Ownership {
            owner: to,
            from,
            since_ns: self.now_ns,
            by: ChangedBy::Manual,
            hold,
            why: why.to_owned(),
            missed_since_ns,
            failovers: known.filter(calm).map_or(0, |entry| entry.failovers),
            // Who only holds or releases leaves what is on loan where it is.
            loan: known.filter(|_| from == to).and_then(|entry| entry.loan.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
