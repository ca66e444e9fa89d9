#!/usr/bin/env python3
"""Compares the archive with the simulator's tape, event by event, and prints one line.

Shares no code with the services: the tape is the simulator's own account, the rows come over ClickHouse's HTTP
interface. Two events are equal when kind, source, tape, symbol, exchange time and values are; `lost` and `duplicated`
are differences of multisets. The side of a US trade is compared where the archive claims to know it.
"""

import argparse
import collections
import json
import sys
import urllib.request

TRADES = """
SELECT source, tape, symbol, toUnixTimestamp64Nano(exchange_ns), toString(price), quantity,
       cumulative_volume, toString(cumulative_value), toString(best_ask), toString(best_bid), aggressor_side
FROM trades FORMAT JSONCompactEachRow
"""
BOOKS = """
SELECT source, tape, symbol, toUnixTimestamp64Nano(exchange_ns),
       arrayMap(x -> toString(x), ask_prices), ask_quantities, arrayMap(x -> toString(x), bid_prices), bid_quantities,
       total_ask_quantity, total_bid_quantity, cumulative_volume
FROM order_books FORMAT JSONCompactEachRow
"""


def rows(url, database, query):
    settings = "output_format_json_quote_64bit_integers=0"
    request = urllib.request.Request(f"{url}/?database={database}&{settings}", data=query.encode())
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            yield json.loads(line)


def archive(url, database):
    events, sides = collections.Counter(), collections.Counter()
    for row in rows(url, database, TRADES):
        key = ("trade", *row[:10])
        events[key] += 1
        sides[(key, row[10])] += 1
    for row in rows(url, database, BOOKS):
        asks = tuple(zip(row[4], row[5]))
        bids = tuple(zip(row[6], row[7]))
        events[("order_book", *row[:4], asks, bids, *row[8:])] += 1
    return events, sides


def tape(path):
    events, sides = collections.Counter(), {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            head = (event["kind"], event["source"], event["tape"], event["symbol"], event["exchange_ns"])
            if event["kind"] == "trade":
                key = (*head, event["price"], event["quantity"], event["cumulative_volume"],
                       event["cumulative_value"], event["best_ask"], event["best_bid"])
                sides[key] = event["aggressor_side"]
            else:
                asks = tuple((price, quantity) for price, quantity in event["asks"])
                bids = tuple((price, quantity) for price, quantity in event["bids"])
                key = (*head, asks, bids, event["total_ask_quantity"], event["total_bid_quantity"],
                       event["cumulative_volume"])
            # An event that went to several sockets is archived once for each that asked for it.
            events[key] += len(event["connections"])
    return events, sides


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tape", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--name", default="demo")
    arguments = parser.parse_args()
    sent, true_sides = tape(arguments.tape)
    archived, sides = archive(arguments.url, arguments.database)
    lost, duplicated = sent - archived, archived - sent
    wrong_sides = sum(count for (key, side), count in sides.items()
                      if side != "unspecified" and true_sides.get(key, side) != side)
    for name, difference in (("lost", lost), ("not on the tape", duplicated)):
        for key, count in list(difference.items())[:3]:
            print(f"{name} ({count}): {key}", file=sys.stderr)
    kinds = collections.Counter()
    for key, count in archived.items():
        kinds[f"{key[0]} {key[1]} {key[2]}"] += count
    print(" · ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())), file=sys.stderr)
    if wrong_sides:
        print(f"{wrong_sides} trades with a wrong aggressor side", file=sys.stderr)
    total = sum(sent.values())
    print(f"{arguments.name}: sent={total} archived={sum(archived.values())} "
          f"lost={sum(lost.values())} duplicated={sum(duplicated.values())}")
    return 0 if total and not (lost or duplicated or wrong_sides) else 1


if __name__ == "__main__":
    sys.exit(main())
