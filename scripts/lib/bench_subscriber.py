"""The archiver of the design that sise replaces: Redis pub/sub, batched into ClickHouse.

One asyncio process: inserts what it has once a second or from 5,000 rows on, in a thread, by clickhouse-connect. Redis keeps
nothing for who is away or slow: a subscriber that reads too slowly is cut off, connects again and does not learn what it missed.
Prints `ready` when it hears, and when it is asked to end one line of JSON.
"""

import argparse
import asyncio
import json
import resource
import signal
import time

import clickhouse_connect
import redis.asyncio as redis

ROWS, SECONDS = 5_000, 1.0
TABLES = {
    "ticker": ("trades", ("symbol", "source", "time", "received_ns", "price", "ask", "bid", "volume", "cumulative_volume",
                          "cumulative_value", "side", "session", "halted")),
    "orderbook": ("order_books", ("symbol", "source", "time", "received_ns", "ask_prices", "bid_prices", "ask_volumes",
                                  "bid_volumes", "total_ask", "total_bid", "cumulative_volume")),
}
SQL = (
    """CREATE TABLE IF NOT EXISTS trades (symbol LowCardinality(String), source LowCardinality(String), time DateTime('UTC'),
    received_ns Int64, price Int64, ask Int64, bid Int64, volume Int64, cumulative_volume Int64, cumulative_value Int64,
    side LowCardinality(String), session LowCardinality(String), halted Bool) ENGINE = MergeTree ORDER BY (symbol, time)""",
    """CREATE TABLE IF NOT EXISTS order_books (symbol LowCardinality(String), source LowCardinality(String), time DateTime('UTC'),
    received_ns Int64, ask_prices Array(Int64), bid_prices Array(Int64), ask_volumes Array(Int64), bid_volumes Array(Int64),
    total_ask Int64, total_bid Int64, cumulative_volume Int64) ENGINE = MergeTree ORDER BY (symbol, time)""",
)


class Archive:
    """Rows that wait, by table, and one insert at a time of all of them."""

    def __init__(self, options):
        self.client = clickhouse_connect.get_client(host="127.0.0.1", port=options.clickhouse_port, database=options.database)
        for sql in SQL:
            self.client.command(sql)
        self.contexts = {table: self.client.create_insert_context(table, column_names=list(columns))
                         for table, columns in TABLES.values()}
        self.waiting = {kind: [] for kind in TABLES}
        self.inserting = None
        # Whoever reads and the clock both flush; two inserts at once would share their contexts.
        self.turn = asyncio.Lock()
        self.rows = 0
        #: Rows so far and the time, after each insert.
        self.marks = []

    def count(self):
        return sum(map(len, self.waiting.values()))

    def insert(self, batches):
        for table, rows in batches:
            context = self.contexts[table]
            context.data = rows
            self.client.insert(context=context)
            self.rows += len(rows)
        self.marks.append((self.rows, time.time_ns()))

    async def flush(self):
        """Inserts what waits; an insert that is under way is waited for."""
        async with self.turn:
            if self.inserting:
                await self.inserting
                self.inserting = None
            batches = [(TABLES[kind][0], rows) for kind, rows in self.waiting.items() if rows]
            if batches:
                self.waiting = {kind: [] for kind in TABLES}
                self.inserting = asyncio.create_task(asyncio.to_thread(self.insert, batches))

    def take(self, channel, text):
        """One event. True when so much waits that it should be inserted."""
        kind = channel.partition(b".")[0].decode()
        event = json.loads(text)
        self.waiting[kind].append([event[column] for column in TABLES[kind][1]])
        return self.count() >= ROWS


async def subscribe(options):
    archive = Archive(options)
    client = redis.Redis(host="127.0.0.1", port=options.redis_port)
    counts = {"events": 0}
    started = time.process_time()

    async def read():
        async with client.pubsub() as pubsub:
            await pubsub.psubscribe("ticker.*", "orderbook.*")
            async for message in pubsub.listen():
                if message["type"] != "pmessage":
                    # Each pattern is confirmed, and again after each new connection; the first line is waited for.
                    if message["type"] == "psubscribe" and message["data"] == 2:
                        print("ready", flush=True)
                    continue
                counts["events"] += 1
                if archive.take(message["channel"], message["data"]):
                    await archive.flush()

    async def flush_each_second():
        while True:
            await asyncio.sleep(SECONDS)
            await archive.flush()

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    tasks = [asyncio.create_task(work) for work in (read(), flush_each_second(), ended.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    faults = [fault for fault in await asyncio.gather(*tasks, return_exceptions=True)
              if isinstance(fault, Exception)]
    await archive.flush()
    await archive.flush()
    await client.aclose()
    print(json.dumps({"events": counts["events"], "rows": archive.rows, "marks": archive.marks[-2:],
                      "faults": [repr(fault) for fault in faults],
                      "cpu_seconds": time.process_time() - started,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-port", type=int, required=True)
    parser.add_argument("--clickhouse-port", type=int, required=True)
    parser.add_argument("--database", required=True)
    asyncio.run(subscribe(parser.parse_args()))


if __name__ == "__main__":
    main()
