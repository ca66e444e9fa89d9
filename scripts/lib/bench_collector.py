"""The collector of the design that sise replaces: a broker's WebSocket, parsed, as JSON into Redis pub/sub.

One asyncio process, as its owners would write it today: registers trades and books with KIS, splits each frame into all of its
records, names every field that is kept, and publishes a JSON object for each record on `ticker.kr.kis` or `orderbook.kr.kis`.
`--publish each` waits for Redis after every event, which is how such collectors are written; `--publish pipelined` hands events
over in pipelines, which is the most that redis-py has to give. Ends when the broker hangs up; prints one line of JSON.
"""

import argparse
import asyncio
import json
import resource
import time
import urllib.request

import redis.asyncio as redis
import websockets

from bench_collector_parse import BOOK, TRADE, events

#: Events that wait for a pipeline, and in one.
WAITING, AT_ONCE = 10_000, 500


class Each:
    """Publishes each event and waits for Redis."""

    def __init__(self, client):
        self.client = client

    async def publish(self, channel, event):
        await self.client.publish(channel, json.dumps(event))

    async def end(self):
        pass


class Pipelined:
    """Hands events to a task that publishes whatever waits in one pipeline."""

    def __init__(self, client):
        self.client = client
        self.queue = asyncio.Queue(WAITING)
        self.task = asyncio.create_task(self.work())

    async def publish(self, channel, event):
        await self.queue.put((channel, json.dumps(event)))

    async def work(self):
        over = False
        while not over:
            batch = [await self.queue.get()]
            while len(batch) < AT_ONCE and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            over = batch[-1] is None
            pipeline = self.client.pipeline(transaction=False)
            for channel, text in batch[:-1] if over else batch:
                pipeline.publish(channel, text)
            await pipeline.execute()

    async def end(self):
        await self.queue.put(None)
        await self.task


def approval(options):
    """A key for the WebSocket."""
    body = json.dumps({"grant_type": "client_credentials", "appkey": options.app_key, "secretkey": options.app_secret})
    request = urllib.request.Request(f"http://127.0.0.1:{options.rest_port}/oauth2/Approval", body.encode(),
                                     {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["approval_key"]


class Collector:
    """Frames in, events out, both counted."""

    def __init__(self, publisher):
        self.publisher = publisher
        self.frames = self.events = self.first_ns = 0

    async def take(self, socket, text):
        """One message. True if it answers a registration."""
        if text[0] != "{":
            self.first_ns = self.first_ns or time.time_ns()
            self.frames += 1
            for channel, event in events(text):
                await self.publisher.publish(channel, event)
                self.events += 1
            return False
        message = json.loads(text)
        if message["header"]["tr_id"] == "PINGPONG":
            await socket.send(text)
            return False
        if message["body"]["rt_cd"] != "0":
            raise RuntimeError(f"refused: {message['body']['msg1']}")
        return True

    async def register(self, socket, approved, tr, symbol):
        """Asks for a symbol and waits for the answer."""
        await socket.send(json.dumps({
            "header": {"approval_key": approved, "custtype": "P", "tr_type": "1", "content-type": "utf-8"},
            "body": {"input": {"tr_id": tr, "tr_key": symbol}}}))
        while not await self.take(socket, await socket.recv()):
            pass


async def collect(options):
    client = redis.Redis(host="127.0.0.1", port=options.redis_port)
    collector = Collector((Each if options.publish == "each" else Pipelined)(client))
    approved = await asyncio.to_thread(approval, options)
    address = f"ws://127.0.0.1:{options.websocket_port}/tryitout"
    # The broker sends text of its own as a sign of life, and neither compresses nor answers pings.
    started = time.process_time()
    async with websockets.connect(address, ping_interval=None, compression=None) as socket:
        for symbol in options.symbols.split(","):
            for tr in (TRADE, BOOK):
                await collector.register(socket, approved, tr, symbol)
        try:
            async for text in socket:
                await collector.take(socket, text)
                if collector.frames >= options.frames:
                    break
        except websockets.ConnectionClosedError:
            pass
    await collector.publisher.end()
    await client.aclose()
    print(json.dumps({"frames": collector.frames, "events": collector.events, "first_ns": collector.first_ns,
                      "last_ns": time.time_ns(), "cpu_seconds": time.process_time() - started,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main():
    parser = argparse.ArgumentParser()
    for name in ("--rest-port", "--websocket-port", "--redis-port"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--frames", type=int, required=True, help="after so many it leaves")
    parser.add_argument("--symbols", required=True)
    parser.add_argument("--publish", choices=("each", "pipelined"), required=True)
    parser.add_argument("--app-key", default="simulated-KR")
    parser.add_argument("--app-secret", default="simulated-KR-secret")
    asyncio.run(collect(parser.parse_args()))


if __name__ == "__main__":
    main()
