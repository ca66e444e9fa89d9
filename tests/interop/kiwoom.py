"""kiwoom-playground, an independent client, against the simulated broker: gets its token, logs in, registers, receives,
and has every value of its own typed models compared with the simulator's tape, and with a page of ticks over REST.

    APP_KEY=… APP_SECRET=… kiwoom.py REST_URL WEBSOCKET_URL TAPE
"""

import asyncio
import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import requests.utils
from kiwoom_rest.client import KiwoomClient
from kiwoom_rest.core import KiwoomException
from kiwoom_rest.generated import StockQuoteBalance, StockSigning

import collect
import tape

PACKAGE = "kiwoom-playground"
# The broker's suffix of an item, and the tape's name of the tape.
TAPES = {"": "krx", "_NX": "nxt", "_AL": "all"}
SYMBOLS = ("005930", "000660")
ITEMS = [symbol + suffix for symbol in SYMBOLS for suffix in TAPES]
KOREA = ZoneInfo("Asia/Seoul")


def nanoseconds(time, date=None):
    """A second of Korea as HHMMSS; rows tell no date."""
    date = date or datetime.now(KOREA).strftime("%Y%m%d")
    moment = datetime.strptime(date + time, "%Y%m%d%H%M%S").replace(tzinfo=KOREA)
    return int(moment.timestamp()) * 1_000_000_000


def unsigned(text):
    """A number whose sign is a mark: of the change for a price, of the aggressor for a quantity."""
    return abs(int(text))


def trade(values):
    """A trade as the client reads it."""
    quantity, volume = unsigned(values.n_15), int(values.n_13)
    return tape.Trade(nanoseconds(values.n_20), tape.Decimal(unsigned(values.n_10)), quantity, volume)


def side(values, price, quantity):
    """Ten levels, from the first FID of their prices and of their quantities."""
    fids = ((getattr(values, f"n_{price + level}"), getattr(values, f"n_{quantity + level}")) for level in range(10))
    return tape.levels((unsigned(price), unsigned(quantity)) for price, quantity in fids)


def book(values):
    """A book as the client reads it."""
    return tape.Book(nanoseconds(values.n_21), side(values, 41, 61), side(values, 51, 71))


class Listener:
    """What the client calls with each message."""

    MODELS = {"0B": ("trade", StockSigning, trade), "0D": ("order_book", StockQuoteBalance, book)}

    def __init__(self, received):
        self.received = received
        self.answers = asyncio.Queue()
        self.pings = 0
        self.problem = None

    async def hear(self, message):
        """Keeps answers and events. The client prints what is raised here, so that it is kept too."""
        # The client answers a PING in a task that sends the message of the moment it runs in: let it run now.
        await asyncio.sleep(0)
        try:
            if message.get("trnm") == "REAL":
                for row in message["data"]:
                    self.row(message, row)
            elif message.get("trnm") == "PING":
                self.pings += 1
            else:
                self.answers.put_nowait(message)
        except Exception as problem:
            self.problem = self.problem or problem
            raise

    def row(self, message, row):
        """One row in the client's own model."""
        kind, model, event_of = self.MODELS[row["type"]]
        (typed,) = model(**message | {"data": [row]}).data
        (values,) = typed.values
        symbol, suffix = typed.item[:6], typed.item[6:]
        self.received.add(kind, TAPES[suffix], symbol, event_of(values))

    async def answer(self, trnm):
        """The answer to a request; fails on a refusal."""
        while True:
            try:
                message = await asyncio.wait_for(self.answers.get(), 10)
            except TimeoutError:
                raise tape.Mismatch(f"no answer to {trnm} in 10 s") from None
            if message.get("trnm") == trnm:
                if message.get("return_code") != 0:
                    raise tape.Mismatch(f"{trnm} was answered with {message}")
                return

    def check(self, client):
        """Fails when a message could not be read, or the connection is gone."""
        if self.problem:
            raise tape.Mismatch(f"{type(self.problem).__name__}: {self.problem}") from self.problem
        if not client.core._is_ws_connected:
            raise tape.Mismatch("the connection ended by itself")


async def receive(client, received):
    """Logs in, registers, and waits until there is enough."""
    listener = Listener(received)
    await client.core.connect_ws(listener.hear)
    await listener.answer("LOGIN")
    request = {"trnm": "REG", "grp_no": "1", "refresh": "1"}
    await client.stock_signing(**request, data=[{"item": ITEMS, "type": ["0B"]}])
    await listener.answer("REG")
    await client.stock_quote_balance(**request, data=[{"item": ITEMS, "type": ["0D"]}])
    await listener.answer("REG")
    while not received.is_enough():
        listener.check(client)
        await asyncio.sleep(0.1)
    listener.check(client)
    await client.core.disconnect_ws()
    if listener.pings == 0:
        raise tape.Mismatch(f"no PING in {collect.LEAST_SECONDS} s")


def compare_ticks(client, received):
    """The ticks that came live must stand in one piece in the newest page of ticks, which is newest first."""
    live = [event[:3] for event in received.events["trade", "krx", SYMBOLS[0]]]
    page = client.core.call("ka10079", stk_cd=SYMBOLS[0], tic_scope="1", upd_stkpc_tp="0")
    rows = page["stk_tic_chart_qry"][::-1]
    ticks = [
        (
            nanoseconds(row["cntr_tm"][8:], row["cntr_tm"][:8]),
            tape.Decimal(unsigned(row["cur_prc"])),
            unsigned(row["trde_qty"]),
        )
        for row in rows
    ]
    live = live[-len(ticks) :]
    if not tape.stands_in(live, ticks):
        raise tape.Mismatch(f"ka10079: {tape.difference(live, ticks)}")


def main():
    """Receives, compares, and returns what came."""
    rest, websocket, path = sys.argv[1:]
    # The broker refuses the names of common libraries, and this client takes that of its library.
    requests.utils.default_user_agent = lambda *_: "sise-interop"
    received = collect.Received([(name, symbol) for name in TAPES.values() for symbol in SYMBOLS])
    client = KiwoomClient(os.environ["APP_KEY"], os.environ["APP_SECRET"], base_url=rest, ws_url=websocket)
    try:
        asyncio.run(receive(client, received))
        tape.compare(received.events, path, "kiwoom")
        compare_ticks(client, received)
        client.core.revoke_token()
    except KiwoomException as problem:
        raise tape.Mismatch(str(problem)) from problem
    return received


if __name__ == "__main__":
    collect.run("kiwoom", PACKAGE, main)
