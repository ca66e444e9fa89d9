"""The actions of a plan, done to a running system."""

import errno
import json
import os
import shutil
import time
import urllib.request

import storm_journal
from storm_nats import Nats, NatsError

POISONED = "ticker.kr.kis.005930.krx"
STREAMS = ("TICKER_KR_KIS", "ORDERBOOK_KR_KIS", "TICKER_KR_KIWOOM", "ORDERBOOK_KR_KIWOOM", "TICKER_US_KIS",
           "ORDERBOOK_US_KIS")


class Faults:
    """What can be done, and what was done: counts, poison that the server took, frames that were damaged on disk."""

    def __init__(self, parts, folder, settings, later, say):
        self.parts, self.folder, self.settings, self.later, self.say = parts, folder, settings, later, say
        self.store = os.path.join(folder, "nats")
        self.snapshot_folder = os.path.join(folder, "snapshot")
        self.kills, self.outages, self.done = 0, 0, {}
        #: (text, time of day) of poison, (service, connection_id, frame, received_ns) of damage, times of roll-backs.
        self.poison_taken, self.damaged, self.rolled_back = [], [], []
        self.snapshot_at = None

    def do(self, action):
        count = getattr(self, f"do_{action['do']}")(action)
        name = action["do"]
        self.done[name] = self.done.get(name, 0) + (1 if count is None else count)

    def do_kill(self, action):
        killed = self.parts[action["target"]].kill(action["away"])
        self.kills += killed
        return int(killed)

    def do_outage(self, action):
        part = self.parts[action["target"]]
        self.outages += 1
        self.kills += action["how"] == "KILL" and part.alive()
        part.back_at = max(part.back_at, time.monotonic() + action["seconds"])
        part.kill(0) if action["how"] == "KILL" else part.stop(5)

    def do_freeze(self, action):
        self.parts[action["target"]].freeze()
        self.later(action["seconds"], {"do": "thaw", "target": action["target"]})

    def do_thaw(self, action):
        self.parts[action["target"]].thaw()

    def do_fault(self, action):
        body = json.dumps(action["faults"]).encode()
        request = urllib.request.Request(f"{self.settings['simulator_url']}/control/faults", data=body, method="POST")
        urllib.request.urlopen(request, timeout=5).read()

    def connect(self, user):
        return Nats(self.settings["nats_port"], user, self.settings["passwords"][user])

    def do_poison(self, action):
        """Messages that are no event, under a subject of events; counted when the server has acknowledged them."""
        try:
            nats = self.connect("kis-service")
            for number in range(action["count"]):
                text = f"storm-poison-{action['salt']}-{number}"
                if "error" not in json.loads(nats.request(POISONED, text.encode())):
                    self.poison_taken.append((text, time.time()))
            nats.close()
        except NatsError as error:
            self.say(f"poison not taken: {error}")

    def do_redeliver(self, action):
        """Negative acknowledgements of what the archiver holds right now."""
        try:
            nats = self.connect("sise")
            for stream in STREAMS:
                info = nats.consumer(stream, "archiver")
                delivered, floor = info["delivered"], info["ack_floor"]
                first = max(floor["consumer_seq"] + 1, delivered["consumer_seq"] - action["count"])
                ahead = delivered["stream_seq"] - delivered["consumer_seq"]
                for number in range(first, delivered["consumer_seq"] + 1):
                    nats.publish(f"$JS.ACK.{stream}.archiver.1.{number + ahead}.{number}.{time.time_ns()}.0", b"-NAK")
            again = sum(nats.consumer(stream, "archiver")["num_redelivered"] for stream in STREAMS)
            self.say(f"{again} messages are being delivered again")
            nats.close()
        except NatsError as error:
            self.say(f"nothing redelivered: {error}")

    def do_tail(self, action):
        """A cell is killed and the end of its journal spoilt before it comes back."""
        part = self.parts[action["target"]]
        self.kills += part.kill(0)
        folder = os.path.join(self.folder, "journal", action["target"])
        lost = storm_journal.damage(folder, action["how"], action["bytes"], action["bits"])
        self.damaged += [(action["target"], *frame) for frame in lost]
        self.say(f"{action['target']}: journal {action['how']}, {len(lost)} frames gone")

    def do_snapshot(self, _action):
        """A copy of the store, as a backup of the disk would be."""
        nats = self.parts["nats"]
        nats.stop(10)
        shutil.rmtree(self.snapshot_folder, ignore_errors=True)
        shutil.copytree(os.path.join(self.store, "jetstream"), self.snapshot_folder)
        self.snapshot_at = time.time()

    def do_rollback(self, _action):
        """The store as it was then: acknowledged messages are gone."""
        if self.snapshot_at is None:
            return 0
        self.kills += self.parts["nats"].kill(0)
        store = os.path.join(self.store, "jetstream")
        shutil.rmtree(store)
        shutil.copytree(self.snapshot_folder, store)
        self.rolled_back.append((self.snapshot_at, time.time()))
        return 1

    def do_disk(self, action):
        """No byte is left for the store, for a while; then there is room, and the server is started again."""
        if not os.path.ismount(self.store):
            return 0
        with open(os.path.join(self.store, "ballast"), "ab", buffering=0) as ballast:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        self.outages += 1
        self.later(action["seconds"], {"do": "room"})
        return 1

    def do_room(self, _action):
        os.remove(os.path.join(self.store, "ballast"))
        self.parts["nats"].stop(5)
        self.parts["nats"].start()
