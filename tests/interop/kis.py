"""kis-trader, an independent client, against the simulated broker: gets its key, subscribes, receives, and has every
value that its own parser reads compared with the simulator's tape.

    APP_KEY=… APP_SECRET=… kis.py REST_URL WEBSOCKET_URL TAPE

Speaks the layout that is in force since 2026-09-14, and refuses frames of any other width.
"""

import logging
import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

from kis_trader import KISClient
from kis_trader._internal import _endpoints

import collect
import tape

PACKAGE = "kis-trader"
# The client's name of a venue, and the tape's.
VENUES = {"KRX": "krx", "NXT": "nxt", "UN": "all"}
SYMBOLS = ("005930", "000660")
US_SYMBOL = "AAPL"
KOREA = ZoneInfo("Asia/Seoul")


def nanoseconds(date, time):
    """A second of Korean local time, as YYYYMMDD and HHMMSS."""
    moment = datetime.strptime(date + time, "%Y%m%d%H%M%S").replace(tzinfo=KOREA)
    return int(moment.timestamp()) * 1_000_000_000


def trade(tick):
    """A Korean trade as the client reads it."""
    at = nanoseconds(tick.business_date, tick.time)
    return tape.Trade(at, tick.current_price, tick.trade_volume, tick.accumulated_volume)


def us_trade(tick):
    """A US trade as the client reads it."""
    at = nanoseconds(tick.korea_date, tick.korea_time)
    return tape.Trade(at, tick.current_price, tick.trade_volume, tick.accumulated_volume)


def side(raw, price, quantity):
    """Ten levels of a book, from the fields that the client names."""
    return tape.levels((raw[f"{price}{level}"], raw[f"{quantity}{level}"]) for level in range(1, 11))


def book(entity):
    """A Korean book as the client reads it; its frames tell no date."""
    raw = entity._raw
    asks, bids = side(raw, "ASKP", "ASKP_RSQN"), side(raw, "BIDP", "BIDP_RSQN")
    best = (entity.best_ask, entity.best_ask_quantity), (entity.best_bid, entity.best_bid_quantity)
    if best != (asks[0], bids[0]):
        raise tape.Mismatch(f"best levels {best} are not the first of {asks} and {bids}")
    return tape.Book(nanoseconds(datetime.now(KOREA).strftime("%Y%m%d"), entity.time), asks, bids)


def us_book(entity):
    """A US book as the client reads it."""
    raw = entity._raw
    at = nanoseconds(entity.korea_date, entity.korea_time)
    return tape.Book(at, side(raw, "PASK", "VASK"), side(raw, "PBID", "VBID"))


def subscribe(client, received):
    """Asks for trades and books of every venue, each of the client's own way."""
    for symbol in SYMBOLS:
        stock = client.domestic.stock(symbol)
        for venue, name in VENUES.items():

            def on_trade(tick, name=name):
                received.add("trade", name, tick.symbol, trade(tick))

            def on_book(entity, name=name):
                received.add("order_book", name, entity.symbol, book(entity))

            stock.trades(venue, on=on_trade)
            stock.order_book(venue, on=on_book)

    def on_us_trade(message):
        received.add("trade", "us", message.data.symbol, us_trade(message.data))

    def on_us_book(message):
        received.add("order_book", "us", message.data.symbol, us_book(message.data))

    # By symbol alone it would look the market up in a file of the broker's.
    client.subscribe(tr_id="HDFSCNT0", tr_key=f"DNAS{US_SYMBOL}", on=on_us_trade)
    client.subscribe(tr_id="HDFSASP0", tr_key=f"DNAS{US_SYMBOL}", on=on_us_book)


def main():
    """Receives, compares, and returns what came."""
    rest, websocket, path = sys.argv[1:]
    _endpoints._BASE_URL_BY_ENVIRONMENT["real"] = rest
    _endpoints._WEBSOCKET_URL_BY_ENVIRONMENT["real"] = websocket
    complaints = collect.Complaints(logging.getLogger("kis_trader.realtime"))
    received = collect.Received(
        [(name, symbol) for name in VENUES.values() for symbol in SYMBOLS] + [("us", US_SYMBOL)]
    )
    kis = KISClient(app_key=os.environ["APP_KEY"], app_secret=os.environ["APP_SECRET"], environment="real")
    client = kis.realtime()
    subscribe(client, received)
    client.start()
    received.wait(complaints)
    complaints.check()
    # It may end its thread before it has noticed that itself, and then waits for the whole limit.
    client.stop(timeout=1)
    tape.compare(received.events, path, "kis")
    return received


if __name__ == "__main__":
    collect.run("kis", PACKAGE, main)
