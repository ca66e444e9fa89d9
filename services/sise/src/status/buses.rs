//! What the bus tells, beside what settings and archive know: connections, registrations, streams, owners.

use bus::{Context, Topology};
use market::{Group, Health, Market, Source};
use process::clock::now_ns;
use store::report::LastLink;

use super::picture::{Consumer, Link, LinkState, Owned, Part, Registrations, Stream};
use super::wanted::Wanted;
use crate::look::board::State;
use crate::symbols::Room;

type Boards<'a> = Result<&'a [State], String>;

/// All feeds that say something.
fn feeds(boards: &[State]) -> impl Iterator<Item = (Market, Source, &Health)> {
    boards.iter().flat_map(|board| {
        board.feeds.iter().filter_map(|(source, health)| Some((board.market, *source, health.as_ref()?)))
    })
}

/// Each connection of each broker.
pub fn links(boards: Boards<'_>, told: &Result<Vec<(Market, LastLink)>, String>) -> Part<Link> {
    let boards = match boards {
        Err(why) => return Part::unknown(why),
        Ok(boards) => boards,
    };
    let mut rows = Vec::new();
    for (market, source, health) in feeds(boards) {
        for (key, free) in &health.free {
            let last = told.as_ref().ok().and_then(|told| {
                told.iter().find(|(of, link)| {
                    *of == market && link.source == source.as_str() && link.connection == *key
                })
            });
            rows.push(link(market, source, health, (key, *free), last.map(|(_, link)| link)));
        }
    }
    let why = told.as_ref().err().map(|why| format!("since when is not known: {why}"));
    Part { why, ..Part::whole(rows) }
}

fn link(
    market: Market,
    source: Source,
    health: &Health,
    (key, free): (&String, u32),
    last: Option<&LastLink>,
) -> Link {
    let dead = health.dead_links.iter().find(|link| link.key == *key);
    let (state, why) = match (dead, last) {
        (Some(_), _) => (LinkState::Dead, "nothing is heard of the broker on it".to_owned()),
        // What its service says is newer than what is archived.
        (None, _) if health.connected == health.keys => (LinkState::Up, String::new()),
        (None, _) if health.connected == 0 => (LinkState::Down, health.why.clone()),
        (None, Some(last)) if last.is_up => (LinkState::Up, String::new()),
        (None, Some(last)) => (LinkState::Down, last.reason.clone()),
        (None, None) => {
            let (up, all) = (health.connected, health.keys);
            (LinkState::Unknown, format!("{up} of {all} connections are up, which is not archived"))
        }
    };
    // What was told last is of the state as it is, or of another one.
    let fits = last.filter(|last| last.is_up == (state != LinkState::Down));
    Link {
        market: market.as_str(),
        source: source.as_str(),
        connection: key.clone(),
        state,
        since_ns: fits.map(|last| last.at_ns),
        registered: fits.filter(|last| last.is_up).map(|last| last.registered),
        refused: fits.filter(|last| last.is_up).map(|last| last.refused),
        free,
        dead_symbols: dead.map_or(0, |dead| dead.symbols.len()),
        why,
    }
}

/// How full the keys are, and what has no place on them.
pub fn registrations(boards: Boards<'_>, wanted: &Wanted) -> Part<Registrations> {
    let mut rows = Vec::new();
    let empty: &[Room] = &[];
    let rooms = wanted.rooms.as_deref().unwrap_or(empty);
    for service in crate::look::SERVICES {
        let (market, source) = (service.market, service.source);
        let health = boards.as_ref().ok().and_then(|boards| {
            feeds(boards).find(|(one, of, _)| (*one, *of) == (market, source)).map(|(.., health)| health)
        });
        // Without a key here nothing would have a place, whatever the service has.
        let room = rooms.iter().find(|room| (room.market, room.source) == (market, source) && room.room > 0);
        if health.is_none() && room.is_none() {
            continue;
        }
        rows.push(Registrations {
            market: market.as_str(),
            source: source.as_str(),
            used: health.map(|health| health.registered),
            limit: health.map(|health| health.registered.saturating_add(health.free_in_all())),
            wanted: room.map(|room| room.needed),
            uncovered: room.map(|room| room.uncovered.clone()),
        });
    }
    match (boards.err(), wanted.rooms.as_ref().err()) {
        (Some(why), _) if rows.is_empty() => Part::unknown(why),
        (Some(why), _) => {
            Part { why: Some(format!("what is used is not known: {why}")), ..Part::whole(rows) }
        }
        (None, Some(why)) => {
            Part { why: Some(format!("what has no place is not known: {why}")), ..Part::whole(rows) }
        }
        (None, None) => Part::whole(rows),
    }
}

/// Who carries what.
pub fn ownership(boards: Boards<'_>, wanted: &Wanted) -> Part<Owned> {
    let boards = match boards {
        Err(why) => return Part::unknown(why),
        Ok(boards) => boards,
    };
    let mut rows = Vec::new();
    for board in boards {
        for (group, entry) in &board.groups {
            let entry = entry.as_ref().map(|entry| &entry.value);
            let has_symbols =
                wanted.groups.as_ref().map_or(true, |groups| groups.contains(&(board.market, *group)));
            if has_symbols || entry.is_some() {
                rows.push(owned(board, *group));
            }
        }
    }
    let why =
        wanted.groups.as_ref().err().map(|why| format!("which groups have symbols is not known: {why}"));
    Part { why, ..Part::whole(rows) }
}

fn owned(board: &State, group: Group) -> Owned {
    let entry = board.entry(group).map(|entry| &entry.value);
    // Where only one broker sends anything there is nothing to choose.
    let only = if let [(only, _)] = board.feeds.as_slice() { Some(*only) } else { None };
    let carries = |(source, health): &(Source, Option<Health>)| {
        let carried = health.as_ref().map(|health| &health.carries);
        board.trouble(*source).is_none()
            && carried
                .is_some_and(|carried| carried.contains(&group) || only.is_some() && !carried.is_empty())
    };
    let carrier = board.feeds.iter().find(|feed| carries(feed)).map(|(source, _)| *source);
    let home = entry.and_then(|entry| entry.hold).unwrap_or(group.home());
    // A home that does not run at all has left its group to the other.
    let owner = only.unwrap_or_else(|| match (entry, carrier) {
        (None, Some(carrier)) if board.health(group.home()).is_none() => carrier,
        _ => board.owner(group),
    });
    let loan = entry.and_then(|entry| entry.loan.as_ref()).filter(|loan| !loan.symbols.is_empty());
    Owned {
        market: board.market.as_str(),
        group: group.as_str(),
        owner: owner.as_str(),
        home: only.unwrap_or(home).as_str(),
        is_carried: carrier.is_some(),
        hold: entry.and_then(|entry| entry.hold).map(Source::as_str),
        by: entry.map(|entry| entry.by.as_str()),
        since_ns: entry.map(|entry| entry.since_ns),
        why: entry.map_or_else(String::new, |entry| entry.why.clone()),
        on_loan: loan.map_or(0, |loan| loan.symbols.len()),
        loan_to: loan.map(|loan| loan.to.as_str()),
    }
}

/// Each stream of the topology, and its durables.
pub async fn streams(context: &Context, topology: &Topology) -> Part<Stream> {
    let look = topology.streams.iter().map(|spec| {
        let durables: Vec<&str> = spec.durables.iter().map(|durable| durable.name.as_str()).collect();
        stream(context, &spec.name, durables)
    });
    Part::whole(futures_util::future::join_all(look).await)
}

async fn stream(context: &Context, name: &str, durables: Vec<&str>) -> Stream {
    let (state, consumers) = tokio::join!(
        bus::stream_state(context, name),
        futures_util::future::join_all(durables.into_iter().map(|durable| consumer(context, name, durable)))
    );
    let (state, why) = match state {
        Ok(state) => (Some(state), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let oldest = state.as_ref().filter(|state| state.messages > 0).map(|state| state.first_published_ns);
    Stream {
        name: name.to_owned(),
        messages: state.as_ref().map(|state| state.messages),
        bytes: state.as_ref().map(|state| state.bytes),
        max_bytes: state.as_ref().and_then(|state| state.max_bytes),
        first_sequence: state.as_ref().map(|state| state.first_sequence),
        last_sequence: state.as_ref().map(|state| state.last_sequence),
        oldest_ms: oldest.map(|at_ns| now_ns().saturating_sub(at_ns) / 1_000_000),
        // Of a stream that is not there nothing else can be said.
        consumers: if why.is_none() { consumers } else { Vec::new() },
        why,
    }
}

async fn consumer(context: &Context, stream: &str, durable: &str) -> Consumer {
    let name = durable.to_owned();
    match bus::durable_state(context, stream, durable).await {
        Ok(state) => Consumer {
            name,
            why: None,
            pending: Some(state.pending),
            ack_pending: Some(state.ack_pending),
            redelivered: Some(state.redelivered),
        },
        Err(error) => {
            let why = Some(error.to_string());
            Consumer { name, why, pending: None, ack_pending: None, redelivered: None }
        }
    }
}
