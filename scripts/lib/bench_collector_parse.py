"""Frames of KIS to the JSON objects of the design that sise replaces: every record, the fields that are kept, by name."""

import functools
import time
from datetime import datetime, timedelta, timezone

TRADE, BOOK = "H0STCNT0", "H0STASP0"
CHANNELS = {TRADE: "ticker.kr.kis", BOOK: "orderbook.kr.kis"}
KST = timezone(timedelta(hours=9))


@functools.lru_cache(maxsize=1024)
def epoch(date, clock):
    """Seconds since 1970 of `YYYYMMDD` and `HHMMSS` in Seoul."""
    return int(datetime.strptime(date + clock, "%Y%m%d%H%M%S").replace(tzinfo=KST).timestamp())


def trade(fields, received_ns):
    """A record of H0STCNT0."""
    return {
        "symbol": fields[0], "source": "kis", "time": epoch(fields[33], fields[1]), "received_ns": received_ns,
        "price": int(fields[2]), "ask": int(fields[10]), "bid": int(fields[11]), "volume": int(fields[12]),
        "cumulative_volume": int(fields[13]), "cumulative_value": int(fields[14]), "side": fields[21],
        "session": fields[34], "halted": fields[35] == "Y",
    }


def book(fields, received_ns):
    """A record of H0STASP0, ten levels a side; its date is that of today in Seoul."""
    numbers = list(map(int, fields[3:45]))
    return {
        "symbol": fields[0], "source": "kis", "time": epoch(time.strftime("%Y%m%d", time.gmtime(received_ns // 10**9 + 32400)), fields[1]),
        "received_ns": received_ns, "ask_prices": numbers[:10], "bid_prices": numbers[10:20], "ask_volumes": numbers[20:30],
        "bid_volumes": numbers[30:40], "total_ask": numbers[40], "total_bid": numbers[41], "cumulative_volume": int(fields[53]),
    }


PARSERS = {TRADE: trade, BOOK: book}


def events(text):
    """(channel, event) of every record of a frame `0|TR|count|a^b^…`."""
    received_ns = time.time_ns()
    _, tr, count, payload = text.split("|", 3)
    fields = payload.split("^")
    width, rest = divmod(len(fields), int(count))
    if rest:
        raise ValueError(f"{tr}: {len(fields)} fields in {count} records")
    parse, channel = PARSERS[tr], CHANNELS[tr]
    return [(channel, parse(fields[at:at + width], received_ns)) for at in range(0, len(fields), width)]
