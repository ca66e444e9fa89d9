"""What the simulator wrote against what is archived, connection by connection and frame by frame.

A connection of the simulator is that of the archive which began last before it was accepted: a cell opens one after the
other. Were that ever wrong, the values would not agree. Per connection the archive must hold every frame up to the last
one that is archived or in the journal. What comes after it was never read from the socket: no loss where the connection
ended, if a gap begins behind the last archived frame and ends with the first of the next connection.
"""

import collections
import json
import os
import sys
import time

import compare
import storm_journal
from storm_nats import Nats

SERVICES = {("kis", "kr"): "kis-service", ("kis", "us"): "us-service", ("kiwoom", "kr"): "kiwoom-service"}
SHOWN = 5


class Verdict:
    """Counts of events, and lines about what is wrong."""

    def __init__(self):
        self.sent = self.archived = self.lost = self.duplicated = 0
        self.connections = self.spoilt = self.unread = self.uncovered = self.wrong_sides = 0
        self.notes, self.problems = [], []

    def problem(self, text):
        self.problems.append(text)

    def good(self):
        return bool(self.sent) and not (self.lost or self.duplicated or self.problems)


class Connection:
    """One socket of the simulator: its frames with the events of each, and what the archive calls it."""

    def __init__(self, number):
        self.number, self.cell, self.opened, self.end, self.ident = number, None, 0, None, None
        self.frames, self.spoilt = collections.defaultdict(list), {}
        # Events of frames whose announced count alone was wrong: a reader may refuse such a frame, or find the right count.
        self.miscounted = []


def judge(storm):
    """Compares everything; prints nothing."""
    verdict = Verdict()
    connections = tape(os.path.join(storm.folder, "tape.jsonl"), verdict)
    archive = archived(storm, verdict)
    idents = collections.defaultdict(set)
    for cell, ident in archive:
        idents[cell].add(ident)
    journal = journalled(storm.folder)
    for service, ident in journal:
        cell = next(cell for cell, name in SERVICES.items() if name == service)
        idents[cell].add(ident)
    for cell, known in idents.items():
        for ident in unmatched(connections, cell, known):
            for frame, (_, rows) in archive.get((cell, ident), {}).items():
                verdict.duplicated += len(rows)
                verdict.problem(f"{cell} {ident} frame {frame}: archived, but of no connection of the simulator")
    damaged = {(service, ident, frame) for service, ident, frame, _ in storm.faults.damaged}
    gaps, dead_letters = read_gaps(storm), read_dead_letters(storm)
    for connection in connections:
        if connection.cell:
            verdict.connections += 1
            rows = archive.get((connection.cell, connection.ident), {})
            frames = journal.get((SERVICES[connection.cell], connection.ident), {})
            one(connection, connections, rows, frames, damaged, gaps, verdict)
            refused(connection, rows, frames, dead_letters, gaps, verdict)
    others(storm, dead_letters, verdict)
    return verdict


def tape(path, verdict):
    """Connections in the order of their opening, with their frames: hashes of events, not the events."""
    by_number = {}
    with open(f"{path}.connections", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            connection = by_number.setdefault(event["connection"], Connection(event["connection"]))
            connection.opened = event.get("opened_ns", connection.opened)
            connection.end = event.get("end", connection.end)
            if "spoilt" in event:
                connection.spoilt[event["frame"]] = event["spoilt"]
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if "frame" not in event:
                verdict.problem("an event went to several sockets: the keys of the storm have one market each")
                continue
            connection = by_number[event["connections"][0]]
            connection.cell = (event["source"], event["market"])
            connection.frames[event["frame"]].append((hash(compare.tape_key(event)), event.get("aggressor_side")))
            verdict.sent += 1
    with open(f"{path}.faults", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event.get("reason") == "wrong_count":
                for number in event["connections"]:
                    key = (hash(compare.tape_key(event)), event.get("aggressor_side"))
                    by_number[number].miscounted.append(key)
    return sorted(by_number.values(), key=lambda connection: connection.opened)


def archived(storm, verdict):
    """(cell, connection_id) -> frame -> (received_ns, [(hash, side)])."""
    final = "FINAL" if storm.arguments.archivers > 1 else ""
    found = collections.defaultdict(dict)
    for table, columns, key, width in (("trades", compare.TRADE_COLUMNS, compare.trade_key, 11),
                                       ("order_books", compare.BOOK_COLUMNS, compare.book_key, 11)):
        query = (f"SELECT {columns}, market, connection_id, frame_sequence, toUnixTimestamp64Nano(received_ns) "
                 f"FROM {table} {final} WHERE origin = 'live' FORMAT JSONCompactEachRow")
        for row in compare.rows(storm.clickhouse, storm.database, query):
            market, ident, frame, received = row[width:]
            frames = found[((row[0], market), ident)]
            side = row[10] if table == "trades" else None
            frames.setdefault(frame, (received, []))[1].append((hash(key(row)), side))
            verdict.archived += 1
    return found


def journalled(folder):
    """(service, connection_id) -> frames in the journal with their times of receipt."""
    found = collections.defaultdict(dict)
    for service in SERVICES.values():
        for ident, frame, received in storm_journal.frames(os.path.join(folder, "journal", service)):
            found[(service, ident)][frame] = received
    return found


def unmatched(connections, cell, idents):
    """Gives each of the archive's connections to the simulator's that was accepted next; those left over."""
    own = [connection for connection in connections if connection.cell == cell]
    left = []
    for ident in sorted(idents):
        later = next((connection for connection in own if connection.opened >= ident), None)
        if later is None or later.ident is not None:
            left.append(ident)
        else:
            later.ident = ident
    return left


def one(connection, connections, archive, journal, damaged, gaps, verdict):
    """A connection's frames up to the last that was kept, and the tail that was not read."""
    service = SERVICES[connection.cell]
    kept = max([*archive, *journal], default=0)
    name = f"{service} {connection.ident} (socket {connection.number})"
    # Stretches of frames that are excused when a gap tells of them: first, last, events.
    excused, goes_on = [], False
    for frame in sorted(set(connection.frames) | set(archive)):
        rows = archive[frame][1] if frame in archive else []
        sent = connection.frames.get(frame, [])
        if connection.spoilt.get(frame) == "wrong_count":
            held = dict(connection.miscounted)
            sent = [(h, held[h]) for h, _ in rows if h in held]
        want, have = collections.Counter(h for h, _ in sent), collections.Counter(h for h, _ in rows)
        missing, extra = sum((want - have).values()), sum((have - want).values())
        sides = dict(sent)
        verdict.wrong_sides += sum(1 for h, side in rows if side not in (None, "unspecified") and sides.get(h, side) != side)
        if extra:
            verdict.duplicated += extra
            verdict.problem(f"{name} frame {frame}: {extra} rows too many")
        if not missing:
            goes_on = False
            continue
        spoilt = (service, connection.ident, frame) in damaged and is_begin(sent, have)
        if spoilt or (frame > kept and connection.end is not None):
            verdict.unread += missing
            if not goes_on:
                excused.append([frame, frame, 0])
            excused[-1][1:] = [frame, excused[-1][2] + missing]
            goes_on = True
        else:
            goes_on = False
            verdict.lost += missing
            state = f"last kept {kept}, ended {connection.end}"
            verdict.problem(f"{name} frame {frame}: {missing} of {len(sent)} events lost ({state})")
    for first, last, events in excused:
        # What was archived and then spoilt on disk is nothing that the service can know of.
        known = {frame: archive[frame][0] for frame in archive if (service, connection.ident, frame) not in damaged}
        edges = covered(connection, connections, known, first, last, gaps)
        if edges != "exact":
            verdict.uncovered += events
            verdict.problem(f"{name}: {events} events in frames {first} to {last} were not kept and {edges}")


def is_begin(sent, have):
    """Whether only events at the end are missing, of trades and of books: a service was killed while it published the
    frame, and then the frame was spoilt in its journal."""
    for is_book in (False, True):
        names = [h for h, side in sent if (side is None) == is_book]
        held = collections.Counter(names) & have
        if collections.Counter(names[:sum(held.values())]) != held:
            return False
    return True


def covered(connection, connections, known, first, last, gaps):
    """`exact` when a gap of the cell begins behind the last frame before the stretch and lasts until the next one; or what
    is wrong."""
    source, market = connection.cell
    begin = max((known[frame] for frame in known if frame < first), default=0)
    end = min((known[frame] for frame in known if frame > last), default=0)
    if not end:
        following = [c.opened for c in connections if c.cell == connection.cell and c.opened > connection.opened]
        end = min(following, default=time.time_ns())
    found = "no gap says so"
    for gap in gaps:
        if (gap["source"], gap["market"]) != (source, market) or gap["symbol"]:
            continue
        if gap["from_ns"] <= end <= (gap["until_ns"] or time.time_ns()):
            if gap["from_ns"] >= begin:
                return "exact"
            found = f"the gap begins {(begin - gap['from_ns']) / 1e9:.3f} s too early ({gap['from_ns']} instead of {begin})"
    return found


def refused(connection, archive, journal, dead_letters, gaps, verdict):
    """Every spoilt frame that was kept and not read all the same is among the dead letters, and a gap tells of it."""
    source, market = connection.cell
    for frame, how in connection.spoilt.items():
        if frame not in journal or (how == "wrong_count" and frame in archive):
            continue
        verdict.spoilt += 1
        name = f"f:{connection.ident}:{frame}"
        if not any(ident == name or ident.startswith(f"{name}:") for ident in dead_letters):
            verdict.problem(f"{SERVICES[connection.cell]}: {name} was spoilt ({how}) and is not among the dead letters")
        elif not any((gap["source"], gap["market"]) == (source, market)
                     and gap["from_ns"] <= journal[frame] <= (gap["until_ns"] or time.time_ns()) for gap in gaps):
            verdict.problem(f"{SERVICES[connection.cell]}: {name} was refused ({how}) and no gap says so")


def read_gaps(storm):
    """Gaps as they are archived."""
    query = """SELECT source, market, connection, symbol, reason, toUnixTimestamp64Nano(from_ns),
        toUnixTimestamp64Nano(until_ns) FROM gaps FORMAT JSONCompactEachRow"""
    names = ("source", "market", "connection", "symbol", "reason", "from_ns", "until_ns")
    return [dict(zip(names, row)) for row in compare.rows(storm.clickhouse, storm.database, query)]


def read_dead_letters(storm):
    """Message id (or sequence, where there is none) -> payload."""
    nats = Nats(storm.settings["nats_port"], "sise", storm.settings["passwords"]["sise"], 10)
    found = {}
    for sequence, _, headers, data in nats.messages("DEADLETTER", "deadletter.>"):
        found[message_id(headers) or str(sequence)] = data.decode(errors="replace")
    nats.close()
    return found


def message_id(headers):
    lines = headers.decode(errors="replace").split("\r\n")
    return next((line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("nats-msg-id:")), None)


def others(storm, dead_letters, verdict):
    """The ledger has no hole, and every poisoned message is set aside."""
    # Over all epochs together: what a roll-back took before it was archived has new sequences, and what was published
    # again under its old sequence stands in the ledger with its old epoch.
    query = "SELECT stream, first, last FROM archived ORDER BY stream, first, last FORMAT JSONCompactEachRow"
    reached = {}
    for stream, first, last in compare.rows(storm.clickhouse, storm.database, query):
        before = reached.get(stream, first - 1)
        if first > before + 1:
            verdict.problem(f"a hole in the ledger of {stream}: {before + 1} to {first - 1}")
        reached[stream] = max(before, last)
    statuses(storm, verdict)
    set_aside = set(dead_letters.values())
    for text, at in storm.faults.poison_taken:
        # A store that is rolled back takes along what nobody can publish again.
        if text not in set_aside and not any(since <= at <= until for since, until in storm.faults.rolled_back):
            verdict.problem(f"{text} was acknowledged and is not among the dead letters")
    if verdict.wrong_sides:
        verdict.problem(f"{verdict.wrong_sides} trades with a wrong aggressor side")
    verdict.notes.append(f"connections={verdict.connections} unread={verdict.unread} uncovered={verdict.uncovered} "
                         f"spoilt={verdict.spoilt} poison={len(storm.faults.poison_taken)} dead_letters={len(dead_letters)} "
                         f"damaged={len(storm.faults.damaged)}")


def statuses(storm, verdict):
    """Every status on the bus is archived, once."""
    final = "FINAL" if storm.arguments.archivers > 1 else ""
    query = f"SELECT count(), uniqExact(event_id) FROM feed_status {final} FORMAT JSONCompactEachRow"
    rows, events = next(compare.rows(storm.clickhouse, storm.database, query))
    nats = Nats(storm.settings["nats_port"], "sise", storm.settings["passwords"]["sise"], 10)
    published = {message_id(headers) for _, _, headers, _ in nats.messages("STATUS", "status.>")}
    nats.close()
    if rows != events:
        verdict.problem(f"{rows - events} statuses are archived twice")
    if events < len(published):
        verdict.problem(f"{len(published) - events} of {len(published)} statuses are not archived")
    verdict.notes.append(f"statuses={events}")


def show(verdict, folder):
    """A few problems to standard error, all into the file `problems`."""
    with open(os.path.join(folder, "problems"), "w", encoding="utf-8") as file:
        file.writelines(f"{problem}\n" for problem in verdict.problems)
    for note in verdict.notes:
        print(note, file=sys.stderr)
    for problem in verdict.problems[:SHOWN]:
        print(f"- {problem}", file=sys.stderr)
    if len(verdict.problems) > SHOWN:
        print(f"- and {len(verdict.problems) - SHOWN} more: {folder}/problems", file=sys.stderr)
