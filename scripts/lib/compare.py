#!/usr/bin/env python3
"""Compares the archive with the simulator's tape, event by event, and prints one line.

Shares no code with the services: the tape is the simulator's own account, the rows come over ClickHouse's HTTP
interface. Two events are equal when kind, source, tape, symbol, exchange time and values are; `lost` and `duplicated`
are differences of multisets. The side of a US trade is compared where the archive claims to know it.

Recovered trades are not on the tape: they are compared with <tape>.market, what happened whether it was sent or not
(simulator.market_goes_on). `wrong` are recovered trades that never happened so, `missing` are trades that happened
between the first and the last archived trade of their tape and are not archived, by volume, side and price.
"""

import argparse
import collections
import hashlib
import json
import os
import sys
import urllib.request

TRADE_COLUMNS = """source, tape, symbol, toUnixTimestamp64Nano(exchange_ns), toString(price), quantity,
       cumulative_volume, toString(cumulative_value), toString(best_ask), toString(best_bid), aggressor_side"""
BOOK_COLUMNS = """source, tape, symbol, toUnixTimestamp64Nano(exchange_ns),
       arrayMap(x -> toString(x), ask_prices), ask_quantities, arrayMap(x -> toString(x), bid_prices), bid_quantities,
       total_ask_quantity, total_bid_quantity, cumulative_volume"""
TRADES = f"SELECT {TRADE_COLUMNS} FROM trades WHERE origin = 'live' FORMAT JSONCompactEachRow"
ALL_TRADES = """
SELECT source, tape, symbol, toYYYYMMDD(trade_date), toUnixTimestamp64Nano(exchange_ns), toString(price), quantity,
       cumulative_volume, aggressor_side, origin
FROM trades WHERE market = 'kr' {which} FORMAT JSONCompactEachRow
"""
BOOKS = f"SELECT {BOOK_COLUMNS} FROM order_books FORMAT JSONCompactEachRow"


def rows(url, database, query):
    settings = "output_format_json_quote_64bit_integers=0"
    request = urllib.request.Request(f"{url}/?database={database}&{settings}", data=query.encode())
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            yield json.loads(line)


def trade_key(row):
    """The same of a row of TRADE_COLUMNS."""
    return ("trade", *row[:10])


def book_key(row):
    """The same of a row of BOOK_COLUMNS."""
    return ("order_book", *row[:4], tuple(zip(row[4], row[5])), tuple(zip(row[6], row[7])), *row[8:11])


def name(key):
    """An event's values in 16 bytes: millions of events are compared in memory."""
    return hashlib.blake2b(repr(key).encode(), digest_size=16).digest()


def archive(url, database, source):
    """Each archived event: what it is compared by, and the side of a trade."""
    for query, key, side in ((TRADES, trade_key, 10), (BOOKS, book_key, None)):
        for row in rows(url, database, query):
            if not source or row[0] == source:
                yield key(row), row[side] if side else None


def happened(path):
    """Each trade by what names it: tape, symbol, date, cumulative volume."""
    trades = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            name = (event["tape"], event["symbol"], int(event["trade_date"]), event["cumulative_volume"])
            trades[name] = (event["exchange_ns"], event["price"], event["quantity"], event["aggressor_side"])
    return trades


def recovery(url, database, path):
    """Counts of recovered trades, of those that never happened so, and of trades that are nowhere."""
    truth = happened(path) if os.path.exists(path) else None
    recovered, wrong = 0, []
    volumes, refilled = collections.defaultdict(set), collections.defaultdict(set)
    # Without the truth only the number of recovered trades can be told.
    which = "AND origin != 'live'" if truth is None else ""
    for row in rows(url, database, ALL_TRADES.format(which=which)):
        source, tape_name, symbol, date, at, price, quantity, volume, side, origin = row
        volumes[(source, tape_name, symbol, date)].add(volume)
        if origin == "live":
            continue
        # A recovered trade stands in for whoever lost it, whichever broker was asked.
        refilled[(tape_name, symbol, date)].add(volume)
        recovered += 1
        # Kiwoom's notes have no Q.
        names = [(tape_name, key, date, volume) for key in (symbol, f"Q{symbol}")]
        trade = next((truth[name] for name in names if name in truth), None) if truth is not None else None
        if trade is None or trade[:3] != (at, price, quantity) or side not in ("unspecified", trade[3]):
            wrong.append((row, trade))
    missing = []
    if truth is not None:
        by_tape = collections.defaultdict(list)
        for tape_name, symbol, date, volume in truth:
            by_tape[(tape_name, symbol, date)].append(volume)
        for (source, tape_name, symbol, date), have in volumes.items():
            key = symbol if (tape_name, symbol, date) in by_tape else f"Q{symbol}"
            first, last = min(have), max(have)
            have = have | refilled[(tape_name, symbol, date)]
            missing += [(source, tape_name, symbol, date, volume) for volume in by_tape[(tape_name, key, date)]
                        if first < volume < last and volume not in have]
    return recovered, wrong, missing


def tape_key(event):
    """What an event of the tape is compared by."""
    head = (event["kind"], event["source"], event["tape"], event["symbol"], event["exchange_ns"])
    if event["kind"] == "trade":
        return (*head, event["price"], event["quantity"], event["cumulative_volume"], event["cumulative_value"],
                event["best_ask"], event["best_bid"])
    asks = tuple((price, quantity) for price, quantity in event["asks"])
    bids = tuple((price, quantity) for price, quantity in event["bids"])
    return (*head, asks, bids, event["total_ask_quantity"], event["total_bid_quantity"], event["cumulative_volume"])


def tape(path, source):
    """Each event of the tape: what it is compared by, the side of a trade, and to how many sockets it went."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if not source or event["source"] == source:
                # An event that went to several sockets is archived once for each that asked for it.
                yield tape_key(event), event.get("aggressor_side"), len(event["connections"])


def show(title, difference, keys):
    """The first three of a difference, in full: they are looked for again, since only their names were kept."""
    wanted = set(list(difference)[:3])
    for key in keys:
        if (of := name(key)) in wanted:
            wanted.discard(of)
            print(f"{title} ({difference[of]}): {key}", file=sys.stderr)
        if not wanted:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tape", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--name", default="demo")
    parser.add_argument("--source", help="only events of this broker")
    parser.add_argument("--complete", action="store_true", help="trades that are missing are an error too")
    arguments = parser.parse_args()
    of_archive = (arguments.url, arguments.database, arguments.source)
    sent, archived, true_sides, kinds, wrong_sides = collections.Counter(), collections.Counter(), {}, collections.Counter(), 0
    for key, side, sockets in tape(arguments.tape, arguments.source):
        of = name(key)
        sent[of] += sockets
        if side is not None:
            true_sides[of] = sys.intern(side)
    for key, side in archive(*of_archive):
        of = name(key)
        archived[of] += 1
        kinds[f"{key[0]} {key[1]} {key[2]}"] += 1
        wrong_sides += side not in (None, "unspecified", true_sides.get(of, side))
    lost, duplicated = sent - archived, archived - sent
    show("lost", lost, (key for key, _, _ in tape(arguments.tape, arguments.source)))
    show("not on the tape", duplicated, (key for key, _ in archive(*of_archive)))
    print(" · ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())), file=sys.stderr)
    if wrong_sides:
        print(f"{wrong_sides} trades with a wrong aggressor side", file=sys.stderr)
    recovered, wrong, missing = recovery(arguments.url, arguments.database, f"{arguments.tape}.market")
    for title, list_of in (("recovered wrongly", wrong), ("missing", missing)):
        for item in list_of[:3]:
            print(f"{title}: {item}", file=sys.stderr)
    total = sum(sent.values())
    line = (f"{arguments.name}: sent={total} archived={sum(archived.values())} "
            f"lost={sum(lost.values())} duplicated={sum(duplicated.values())}")
    if recovered or arguments.complete:
        line += f" recovered={recovered} wrong={len(wrong)} missing={len(missing)}"
    print(line)
    bad = lost or duplicated or wrong_sides or wrong or (arguments.complete and missing)
    return 0 if total and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
