#!/usr/bin/env python3
"""What scripts/history needs beside a shell: which day it is, and the comparison of archive and truth.

`dates` prints the last trading day that has ended, today's trading day as the brokers see it, and the trading day before the
first of these; with --date the last two for that day. Times and closures are those of services/lib/market/data/kr.cal.

`compare` walks through <tape>.market (every trade that happened, by symbol, tape and cumulative volume, with who carried
and who delivered it) and through the archive in the same order, one row of each at a time, so that millions of trades need
no memory. Nothing is shared with the services.
"""

import argparse
import collections
import datetime
import json
import pathlib
import sys
import urllib.error
import urllib.request

KST = datetime.timezone(datetime.timedelta(hours=9))
CALENDAR = pathlib.Path(__file__).parent.parent.parent / "services/lib/market/data/kr.cal"
# The evening of nxt and krx ends at 20:00; the next trading day begins at 08:00.
DAY_ENDS, DAY_BEGINS = datetime.time(20, 5), datetime.time(8)
TRADES = """
SELECT toString(symbol) AS name, toString(tape) AS of, cumulative_volume, source, origin, toUnixTimestamp64Nano(exchange_ns),
       toString(price), quantity, aggressor_side
FROM trades WHERE market = '{market}' AND trade_date = '{date}' ORDER BY name, of, cumulative_volume FORMAT JSONCompactEachRow
"""
GAPS = """
SELECT toString(symbol), toString(tape), after_cumulative_volume, until_cumulative_volume, is_open, open_volume
FROM gaps WHERE market = '{market}' AND trade_date = '{date}' AND missing_volume IS NOT NULL FORMAT JSONCompactEachRow
"""
COMPLETENESS = """
SELECT toString(symbol), toString(tape), proven, volume, stored_volume, off_hours_volume, missing, how
FROM completeness WHERE market = '{market}' AND trade_date = '{date}' FORMAT JSONCompactEachRow
"""


def closures():
    words = (line.split() for line in CALENDAR.read_text(encoding="utf-8").splitlines())
    return {line[1] for line in words if line[:1] == ["closed"]}


def trading_day(day, closed):
    return day.weekday() < 5 and day.isoformat() not in closed


def before(day, closed):
    day -= datetime.timedelta(days=1)
    while not trading_day(day, closed):
        day -= datetime.timedelta(days=1)
    return day


def dates(date, now):
    """As text: ended, today, before at the instant now; or today and before for a date that is given."""
    closed = closures()
    begun = trading_day(now.date(), closed) and now.time() >= DAY_BEGINS
    today = now.date() if begun else before(now.date(), closed)
    ended = before(today, closed) if today == now.date() and now.time() < DAY_ENDS else today
    plain = "{:%Y%m%d}".format
    if date:
        day = datetime.datetime.strptime(date, "%Y%m%d").date()
        # A day long ago is not yesterday at anybody's: the brokers take it for today.
        current = today if day in (today, before(today, closed)) else day
        return f"{plain(current)} {plain(before(day, closed))}"
    return f"{plain(ended)} {plain(today)} {plain(before(ended, closed))}"


def rows(arguments, market, query):
    settings = "output_format_json_quote_64bit_integers=0"
    url = f"{arguments.url}/?database={arguments.database}&{settings}"
    date = f"{arguments.date[:4]}-{arguments.date[4:6]}-{arguments.date[6:]}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=query.format(market=market, date=date).encode())) as answer:
            for line in answer:
                yield json.loads(line)
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"ClickHouse refused: {refused.read().decode(errors='replace')}\n{query}") from refused


def groups(arguments, market):
    """The archive's rows of one trade at a time: its name and the rows."""
    name, group = None, []
    for row in rows(arguments, market, TRADES):
        if tuple(row[:3]) != name:
            if group:
                yield name, group
            name, group = tuple(row[:3]), []
        group.append(row[3:])
    if group:
        yield name, group


class Gaps:
    """The gaps of volume that were told, by symbol and tape, and what truly was missing in them."""

    def __init__(self, told):
        """`told`: rows of GAPS."""
        self.of = collections.defaultdict(list)
        # Trades that are missing at the end, and not told by exactly one open gap.
        self.untold = []
        for symbol, tape, after, until, is_open, volume in told:
            # Last: whether a trade in it was missing at somebody, and the shares that are missing at the end.
            self.of[(symbol, tape)].append([after, until, is_open, volume, False, 0])
        self.starts = collections.Counter()
        for gaps in self.of.values():
            gaps.sort()

    def saw(self, line, volume, quantity, undelivered, missing):
        """A trade that happened, in the order of volumes."""
        if not undelivered:
            return
        gaps = self.of[line]
        # Gaps that end before this trade do not concern later ones either.
        while self.starts[line] < len(gaps) and gaps[self.starts[line]][1] <= volume - quantity:
            self.starts[line] += 1
        told = 0
        for gap in gaps[self.starts[line]:]:
            if gap[0] >= volume:
                break
            if gap[1] > volume - quantity:
                gap[4] = True
                gap[5] += quantity if missing else 0
                told += gap[2]
        if missing and told != 1:
            self.untold.append((*line, volume, f"open gaps that tell of it: {told}"))

    def judge(self):
        """The gaps that are false; and those whose open volume is not what is missing in them, with the trades that are
        missing and not told by exactly one open gap. A gap that goes on as a part of another one is closed."""
        false, wrong = [], []
        for line, gaps in self.of.items():
            for after, until, is_open, volume, real, missing in gaps:
                if not real:
                    false.append((*line, after, until))
                if is_open and volume != missing:
                    wrong.append((*line, after, until, f"open_volume={volume} missing={missing}"))
        return false, wrong + self.untold


class Comparison:
    """Counts and examples of whatever is not as it must be."""

    def __init__(self):
        self.counts = collections.Counter()
        self.examples = collections.defaultdict(list)
        self.lines, self.lacking_lines = set(), set()

    def wrong(self, what, example):
        self.counts[what] += 1
        if len(self.examples[what]) < 3:
            self.examples[what].append(example)

    def trade(self, truth, found, gaps, live_only):
        """One trade that happened and the rows of it."""
        name = (truth["symbol"], truth["tape"], truth["cumulative_volume"])
        self.lines.add(name[:2])
        live, recovered = collections.Counter(), 0
        for source, origin, at, price, quantity, side in found:
            self.counts["archived" if origin == "live" else "recovered"] += 1
            if (at, price, quantity) != (truth["exchange_ns"], truth["price"], truth["quantity"]) or \
                    side not in ("unspecified", truth["aggressor_side"]):
                self.wrong("wrong", (name, source, origin, at, price, quantity, side))
            if origin == "live":
                live[source] += 1
            else:
                recovered += 1
        delivered = collections.Counter(truth["delivered"])
        self.counts["sent"] += delivered.total()
        if live - delivered or recovered > 1:
            self.wrong("duplicated", (name, found))
        if delivered - live:
            self.wrong("lost", (name, found))
        if recovered and delivered:
            self.wrong("recovered although it was there", (name, found))
        missing = not delivered and not recovered and not live_only
        if missing:
            self.counts["missing"] += 1
            self.lacking_lines.add(name[:2])
            if not truth["lacks"]:
                self.wrong("missing although a broker has it", name)
        undelivered = len(truth["delivered"]) < len(truth["carried"])
        gaps.saw(name[:2], name[2], truth["quantity"], undelivered, missing)


def walk(arguments, market, gaps, comparison):
    archive = groups(arguments, market)
    name, found = next(archive, (None, []))
    with open(f"{arguments.run}/tape.jsonl.market", encoding="utf-8") as lines:
        for line in lines:
            truth = json.loads(line)
            if truth["market"] != market:
                continue
            wanted = (truth["symbol"], truth["tape"], truth["cumulative_volume"])
            while name is not None and name < wanted:
                comparison.wrong("never happened", (name, found))
                name, found = next(archive, (None, []))
            if name == wanted:
                comparison.trade(truth, found, gaps, arguments.live)
                name, found = next(archive, (None, []))
            else:
                comparison.trade(truth, [], gaps, arguments.live)
    while name is not None:
        comparison.wrong("never happened", (name, found))
        name, found = next(archive, (None, []))


def look(arguments, market, result):
    """Holds one market's archive against what happened."""
    gaps = Gaps(rows(arguments, market, GAPS))
    walk(arguments, market, gaps, result)
    false, wrong = gaps.judge()
    for gap in false:
        result.counts["false"] += 1
        result.wrong("false gap", gap)
    if arguments.live:
        return
    for gap in wrong:
        result.wrong("what is missing is told otherwise", gap)
    unproven = set(result.lines)
    for symbol, tape, is_proven, *why in rows(arguments, market, COMPLETENESS):
        result.counts["proven"] += bool(is_proven)
        if is_proven and (symbol, tape) in result.lacking_lines:
            result.wrong("proven although trades are missing", (symbol, tape, why))
        if is_proven:
            unproven.discard((symbol, tape))
        elif (symbol, tape) in unproven - result.lacking_lines:
            result.wrong("not proven", (symbol, tape, why))
            unproven.discard((symbol, tape))
    for line in sorted(unproven - result.lacking_lines):
        result.wrong("not proven", line)


def compare(arguments):
    with urllib.request.urlopen(f"{arguments.simulator}/control/status") as answer:
        day = json.load(answer)["day"]
    result = Comparison()
    for market in arguments.markets.split(","):
        result.lines, result.lacking_lines = set(), set()
        look(arguments, market, result)
    for what, examples in result.examples.items():
        for example in examples:
            print(f"{what} ({result.counts[what]}): {example}", file=sys.stderr)
    counts = result.counts
    calls = " · ".join(f"{call} {count}" for call, count in sorted(day["by_call"].items()))
    print(f"calls: {calls or 'none'} · refused {day['refused']}; lost {day['lost']} trades of {day['prints']}, "
          f"{day['lost_for_good']} for good; {day['lines_with_loss']} of {day['lines']} symbols by tape lost some",
          file=sys.stderr)
    spent = day["calls"] if arguments.calls is None else arguments.calls
    print(f"history: sent={counts['sent']} archived={counts['archived']} recovered={counts['recovered']} "
          f"missing={counts['missing']} proven={counts['proven']} false_gaps={counts['false']} calls={spent} "
          f"least={day['least']} seconds={arguments.seconds}")
    return 1 if result.examples or not counts["sent"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("dates")
    command.add_argument("--date")
    command = commands.add_parser("compare")
    for name in ("run", "url", "database", "date", "simulator"):
        command.add_argument(f"--{name}", required=True)
    command.add_argument("--markets", default="kr", help="those that the day has, for example kr,us")
    command.add_argument("--seconds", default="0")
    command.add_argument("--calls", type=int, help="calls of the first run, when there were others")
    command.add_argument("--live", action="store_true", help="nothing was recovered yet")
    arguments = parser.parse_args()
    if arguments.command == "dates":
        print(dates(arguments.date, datetime.datetime.now(KST)))
        return 0
    return compare(arguments)


if __name__ == "__main__":
    sys.exit(main())
