"""What a client received against the simulator's tape: every value, the order, and nothing missing in between.

A client's parser is another reader of the same bytes than ours. An event is a tuple of plain values; the events of one
kind, tape and symbol that were received must stand in the simulator's tape in one piece.
"""

import json
import time
from decimal import Decimal
from typing import NamedTuple


class Trade(NamedTuple):
    """One trade print, as a client and the tape both know it."""

    exchange_ns: int
    price: Decimal
    quantity: int
    cumulative_volume: int


class Book(NamedTuple):
    """One order book: levels with a price, best first, as (price, quantity)."""

    exchange_ns: int
    asks: tuple
    bids: tuple


class Mismatch(Exception):
    """What was received is not what was sent."""


def levels(pairs):
    """Pairs of price and quantity, those without a price left out."""
    return tuple((Decimal(price), int(quantity)) for price, quantity in pairs if Decimal(price) != 0)


def event_of(line):
    """The (kind, tape, symbol) and the event of a line of the tape."""
    key = (line["kind"], line["tape"], line["symbol"])
    if line["kind"] == "trade":
        event = Trade(
            line["exchange_ns"], Decimal(line["price"]), int(line["quantity"]), int(line["cumulative_volume"])
        )
    else:
        event = Book(line["exchange_ns"], levels(line["asks"]), levels(line["bids"]))
    return key, event


def read(path, source):
    """Events of one source by (kind, tape, symbol), in the order of the tape. A last line in writing is left out."""
    events = {}
    with open(path, encoding="utf-8") as file:
        for text in file:
            if not text.endswith("\n"):
                break
            line = json.loads(text)
            if line["source"] == source and line["kind"] in ("trade", "order_book"):
                key, event = event_of(line)
                events.setdefault(key, []).append(event)
    return events


def stands_in(received, sent):
    """Whether `received` is one piece of `sent`."""
    starts = (at for at, event in enumerate(sent) if event == received[0])
    return any(sent[at : at + len(received)] == received for at in starts)


def difference(received, sent):
    """The first received event that is not in `sent`, or a word on what is missing."""
    known = set(sent)
    for event in received:
        if event not in known:
            near = [other for other in sent if other[-1] == event[-1] or other[1:] == event[1:]]
            return f"{event} was never sent; near it: {near[:2]}"
    return f"all {len(received)} were sent, but not in this order or not without others between them"


def compare(received, path, source, seconds=20):
    """Waits until the tape holds what was received and compares it; `received` is by (kind, tape, symbol)."""
    deadline = time.monotonic() + seconds
    while True:
        sent = read(path, source)
        wrong = {key: events for key, events in received.items() if not stands_in(events, sent.get(key, []))}
        if not wrong:
            return
        # The tape is written behind the sockets.
        if time.monotonic() > deadline:
            key, events = next(iter(wrong.items()))
            raise Mismatch(f"{source} {' '.join(key)}: {difference(events, sent.get(key, []))}")
        time.sleep(0.1)
