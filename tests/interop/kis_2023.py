"""python-kis, an independent client, against the simulated broker: logs in, subscribes, receives, and has every value
that its own parser reads compared with the simulator's tape.

    APP_KEY=… APP_SECRET=… kis_2023.py REST_URL WEBSOCKET_URL TAPE

The keys must have 36 and 180 characters, and the simulator must speak the layout of 2023: this client knows no other.
"""

import os
import sys
import time

import pykis.client.websocket
import pykis.kis
from pykis import PyKis
from pykis.api.auth.token import token_revoke
from pykis.api.websocket.order_book import on_order_book
from pykis.api.websocket.price import on_price

import collect
import tape

PACKAGE = "python-kis"
# The client's name of a market, its symbol, the tape's name of the tape.
INSTRUMENTS = [("KRX", "005930", "krx"), ("KRX", "000660", "krx"), ("NASDAQ", "AAPL", "us")]
# It asks for a new approval key with each registration, which is more than one a second: refused, and asked again.
HARMLESS = ("API 호출 횟수를 초과하였습니다.",)
# Position of the quantity of a print, which this client keeps in the raw record only.
QUANTITY = {"krx": 12, "us": 19}


def nanoseconds(response):
    """The exchange's second of a response."""
    return int(response.time.timestamp()) * 1_000_000_000


def trade(response, name):
    """A trade as the client reads it."""
    quantity = int(response.raw()[QUANTITY[name]])
    return tape.Trade(nanoseconds(response), response.price, quantity, response.volume)


def book(response):
    """A book as the client reads it."""
    sides = ([(level.price, level.volume) for level in side] for side in (response.asks, response.bids))
    return tape.Book(nanoseconds(response), *map(tape.levels, sides))


def subscribe(client, received):
    """Asks for trades and books; the tickets must live as long as they are wanted."""
    tickets = []
    for market, symbol, name in INSTRUMENTS:

        def on_trade(_sender, arguments, name=name):
            received.add("trade", name, arguments.response.symbol, trade(arguments.response, name))

        def on_book(_sender, arguments, name=name):
            received.add("order_book", name, arguments.response.symbol, book(arguments.response))

        tickets.append(on_price(client, market, symbol, on_trade))
        tickets.append(on_order_book(client, market, symbol, on_book))
    return tickets


def wait_for(what, condition, seconds=60):
    """Waits for a condition of the client's thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise tape.Mismatch(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def main():
    """Receives, compares, and returns what came."""
    rest, websocket, path = sys.argv[1:]
    pykis.kis.REAL_DOMAIN = rest
    pykis.client.websocket.WEBSOCKET_REAL_DOMAIN = websocket
    complaints = collect.Complaints(pykis.logging.logger, HARMLESS)

    keys = {"appkey": os.environ["APP_KEY"], "secretkey": os.environ["APP_SECRET"]}
    kis = PyKis(id="interop", account="00000000-01", **keys)
    token = kis.token
    if token.expired or token.type != "Bearer":
        raise tape.Mismatch(f"token of type {token.type}, expires {token.expired_at}")
    received = collect.Received([(name, symbol) for _, symbol, name in INSTRUMENTS])
    tickets = subscribe(kis.websocket, received)
    received.wait(complaints)
    kis.websocket.disconnect()
    wait_for("the end of the connection", lambda: kis.websocket.websocket is None)
    for ticket in tickets:
        ticket.unsubscribe()
    complaints.check()
    tape.compare(received.events, path, "kis")
    token_revoke(kis, token.token)
    return received


if __name__ == "__main__":
    collect.run("kis", PACKAGE, main)
