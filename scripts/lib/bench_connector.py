"""A public connector for the hop from NATS to ClickHouse: nats-sinks, which pulls, hands batches to a sink and acknowledges.

It comes with sinks for Oracle, MySQL, files, S3 and single HTTP requests, and with none for ClickHouse; its interface for one's
own sinks has one here, the cheapest there can be: each message is a row of order_books in JSON already, so that a batch is
joined, not decoded, and posted as one insert. Prints one line of JSON.
  fill   publishes so many rows to the stream, each acknowledged
  drain  archives them
"""

import argparse
import asyncio
import http.client
import json
import random
import resource
import time

import nats
from nats.js.api import StreamConfig
from nats_sinks import JetStreamSinkRunner
from nats_sinks.core.config import ConsumerManagementConfig, DeliveryConfig

STREAM, SUBJECT = "BOOKS", "orderbook.kr.kis"
#: Publishes under way; messages that the connector hands to a sink at once.
WINDOW, BATCH = 1_000, 5_000


def rows(count):
    """Books of ten levels as rows, from a pinned seed."""
    chance = random.Random(1)
    began = 1_795_564_800
    for number in range(count):
        middle = 50_000 + 100 * chance.randrange(100)
        volumes = [[chance.randrange(1, 90_000) for _ in range(10)] for _ in range(2)]
        second = f"{began + number // 1_000}.{number % 1_000:03}000000"
        yield {
            "market": "kr", "source": "kis", "tape": "krx", "symbol": f"{number % 20:03}000", "trade_date": "2026-11-25",
            "exchange_ns": second, "received_ns": second, "connection_id": 1, "frame_sequence": number + 1, "record_index": 0,
            "origin": "live", "ask_prices": [middle + 100 * (level + 1) for level in range(10)], "ask_quantities": volumes[0],
            "bid_prices": [middle - 100 * level for level in range(10)], "bid_quantities": volumes[1],
            "total_ask_quantity": sum(volumes[0]), "total_bid_quantity": sum(volumes[1]), "expected_quantity": 0,
            "cumulative_volume": number * 10, "session": "regular", "session_codes": "0", "stream": STREAM, "epoch": 0,
            "stream_sequence": number + 1, "event_id": number + 1,
        }


async def fill(options):
    """Puts the backlog into a stream on disk, each message acknowledged."""
    client = await nats.connect(options.nats)
    jetstream = client.jetstream(publish_async_max_pending=WINDOW)
    await jetstream.add_stream(StreamConfig(name=STREAM, subjects=[SUBJECT], storage="file"))
    size = 0
    for number, row in enumerate(rows(options.count), 1):
        payload = json.dumps(row, separators=(",", ":")).encode()
        size += len(payload)
        await jetstream.publish_async(SUBJECT, payload)
        if number % WINDOW == 0:
            await jetstream.publish_async_completed()
    await jetstream.publish_async_completed()
    state = (await jetstream.stream_info(STREAM)).state
    await client.close()
    return {"messages": state.messages, "payload_bytes": size / options.count}


class ClickHouseSink:
    """Inserts a batch of rows in JSON by one request."""

    def __init__(self, options):
        self.options = options
        self.left = options.count
        self.runner = None
        self.inserts = 0
        self.ended = 0.0

    async def start(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.options.clickhouse_port, timeout=60)

    def insert(self, body):
        path = f"/?database={self.options.database}&query=INSERT%20INTO%20order_books%20FORMAT%20JSONEachRow"
        self.connection.request("POST", path, body)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"ClickHouse answers {answer.status}: {text[:500]!r}")

    async def write_batch(self, messages):
        await asyncio.to_thread(self.insert, b"\n".join(message.data for message in messages))
        self.inserts += 1
        self.left -= len(messages)
        if self.left <= 0:
            self.runner.request_stop()

    async def stop(self):
        self.connection.close()


async def drain(options):
    """Archives the backlog; done when the last batch is acknowledged."""
    sink = ClickHouseSink(options)
    # With the server's own limit of 1,000 unacknowledged messages a batch is never full, and each waits for its time to run out.
    sink.runner = JetStreamSinkRunner(
        nats_url=options.nats, stream=STREAM, consumer="connector", subject=SUBJECT, sink=sink,
        delivery=DeliveryConfig(batch_size=BATCH), consumer_management=ConsumerManagementConfig(max_ack_pending=4 * BATCH))
    before, began = time.process_time(), time.monotonic()
    await sink.runner.run()
    return {"rows": options.count - sink.left, "seconds": time.monotonic() - began, "inserts": sink.inserts,
            "cpu_seconds": time.process_time() - before, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("fill", "drain"))
    parser.add_argument("--nats", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--clickhouse-port", type=int)
    parser.add_argument("--database")
    options = parser.parse_args()
    print(json.dumps(asyncio.run((fill if options.what == "fill" else drain)(options))))


if __name__ == "__main__":
    main()
