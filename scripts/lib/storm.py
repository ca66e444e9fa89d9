#!/usr/bin/env python3
"""The whole system in a storm, and the proof that nothing is lost or stored twice. Called by scripts/storm.

The plan comes from the seed (storm_plan.py). While the simulated brokers send, its actions are done (storm_faults.py) to
the processes (storm_parts.py). Then everything is let settle, and archive, journals and statuses are compared with what
the simulator wrote (storm_judge.py). The simulator is the measure: its links are cut, but it is not killed.
"""

import argparse
import heapq
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import storm_faults
import storm_judge
import storm_parts
import storm_plan
from storm_nats import Nats, NatsError

USERS = ("KIS_SERVICE", "SISE")
#: How long links may take to come back (pauses between two tries grow to a minute), and the archive to catch up.
LINKS_LIMIT, ARCHIVE_LIMIT = 120, 180
#: Sockets that the cells keep: two of KIS, one of Kiwoom.
SOCKETS = 3


#: A part that ended by itself so often is not worth waiting for.
GIVE_UP = 20


class GaveUp(Exception):
    """There is nothing to prove."""


class Storm:
    def __init__(self, arguments):
        self.arguments, self.folder = arguments, arguments.folder
        ports = {"nats": int(os.environ["STORM_NATS_PORT"]), "monitor": int(os.environ["STORM_MONITOR_PORT"])}
        self.clickhouse, self.database = os.environ["SISE__CLICKHOUSE__URL"], os.environ["SISE__CLICKHOUSE__DATABASE"]
        self.archivers = [f"archiver{n}" if n > 1 else "archiver" for n in range(1, arguments.archivers + 1)]
        self.parts = storm_parts.make(self.folder, arguments.binaries, os.environ["SISE_NATS_SERVER"], ports, self.archivers)
        self.queue, self.order = [], itertools.count()
        self.log = open(os.path.join(self.folder, "log", "storm.log"), "a", encoding="utf-8")
        passwords = {user.lower().replace("_", "-"): os.environ[f"SISE__NATS__PASSWORDS__{user}"] for user in USERS}
        self.settings = {"nats_port": ports["nats"], "simulator_url": os.environ["STORM_SIMULATOR_URL"],
                         "passwords": passwords}
        self.faults = storm_faults.Faults(self.parts, self.folder, self.settings, self.later, self.say)
        self.started = time.monotonic()

    def say(self, text):
        self.log.write(f"{time.strftime('%H:%M:%S')} {time.monotonic() - self.started:8.2f} {text}\n")
        self.log.flush()

    def later(self, seconds, action):
        heapq.heappush(self.queue, (time.monotonic() + seconds, next(self.order), action))

    def control(self, path, method="GET"):
        request = urllib.request.Request(f"{self.settings['simulator_url']}/control/{path}", method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def look(self):
        now = time.monotonic()
        for part in self.parts.values():
            code = part.look(now)
            if code is not None:
                self.say(f"{part.name} ended by itself with {code}")
                if part.ended == 1:
                    print(f"{part.name} ended by itself with {code} (log: {part.log})", file=sys.stderr)
                if part.ended >= GIVE_UP:
                    raise GaveUp(f"{part.name} does not stay alive (log: {part.log})")

    def wait_for(self, seconds, what, condition):
        """Until the condition holds; false, and said when it has a name, if not in time. Parts are kept alive meanwhile."""
        end = time.monotonic() + seconds
        while True:
            self.look()
            try:
                if condition():
                    return True
            except (OSError, NatsError, ValueError):
                pass
            if time.monotonic() > end:
                if what:
                    print(f"gave up after {seconds} s: {what} (logs: {self.folder}/log)", file=sys.stderr)
                return False
            time.sleep(0.1)

    def run_tool(self, *command):
        with open(os.path.join(self.folder, "log", "tools.log"), "ab") as log:
            sise = os.path.join(self.arguments.binaries, "sise")
            subprocess.run([sise, *command], check=True, stdout=log, stderr=log, timeout=60)

    def start(self):
        for name in ("nats", "clickhouse", "simulator"):
            self.parts[name].start()
        late = [part for name, part in self.parts.items() if part.process is None]
        for part in late:
            part.back_at = float("inf")
        ping = lambda: urllib.request.urlopen(f"{self.clickhouse}/ping", timeout=2).read()  # noqa: E731
        ready = (self.wait_for(60, "clickhouse-embedded answers", ping)
                 and self.wait_for(20, "nats-server answers", lambda: self.nats().close() or True)
                 and self.wait_for(20, "the simulated brokers answer", lambda: self.control("status")))
        if ready:
            self.run_tool("streams", "apply", "--file", os.path.join(self.folder, "streams.json"))
            self.run_tool("migrate")
            for part in late:
                part.back_at = 0.0
        return ready and self.wait_for(60, "all links are up", self.links_are_up)

    def nats(self):
        return Nats(self.settings["nats_port"], "sise", self.settings["passwords"]["sise"])

    def links_are_up(self):
        """Every cell has its socket, and data on it."""
        clients = self.control("status")["clients"]
        return len(clients) == SOCKETS and all(client["written"] >= 20 for client in clients)

    def blow(self, plan):
        self.started = time.monotonic()
        for action in plan:
            self.later(action["at"], action)
        end = self.started + self.arguments.minutes * 60
        while (now := time.monotonic()) < end or self.queue:
            while self.queue and self.queue[0][0] <= now:
                action = heapq.heappop(self.queue)[2]
                self.say(json.dumps(action))
                self.faults.do(action)
                self.look()
                now = time.monotonic()
            self.look()
            time.sleep(0.02)

    def idle(self):
        """Nothing waits in any stream, nor is anything unacknowledged; the streams do not grow."""
        nats = self.nats()
        try:
            figures = []
            for stream in (*storm_faults.STREAMS, "STATUS"):
                info = nats.consumer(stream, "archiver")
                if info["num_pending"] or info["num_ack_pending"]:
                    return False
                figures.append(nats.stream(stream)["last_seq"])
        finally:
            nats.close()
        same, self.figures = figures == getattr(self, "figures", None), figures
        return same

    def settle(self):
        """Everything comes back, the brokers fall silent, the archive catches up as far as it will."""
        for part in self.parts.values():
            part.thaw()
            part.back_at = 0.0
        self.wait_for(LINKS_LIMIT, "all links are up again", self.links_are_up)
        figures = self.control("stop", "POST")
        if not figures["drained"]:
            print("the simulator could not write everything that it made", file=sys.stderr)
        end = time.monotonic() + ARCHIVE_LIMIT
        while True:
            self.wait_for(ARCHIVE_LIMIT, "the streams are empty", self.idle)
            verdict = storm_judge.judge(self)
            if not verdict.lost or time.monotonic() > end:
                return verdict
            # What a cell still has to publish comes within seconds; what does not come is lost.
            before = self.figures
            if not self.wait_for(20, "", lambda: not self.idle() and self.figures != before):
                return storm_judge.judge(self)

    def stop(self):
        order = ["kis-service", "us-service", "kiwoom-service", *self.archivers, "simulator", "clickhouse", "nats"]
        for name in order:
            part = self.parts[name]
            if part.process is not None:
                part.stop(20)


def main():
    parser = argparse.ArgumentParser(prog="scripts/storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--archivers", type=int, choices=(1, 2), help="default: two for an even seed")
    parser.add_argument("--longest", type=float, default=6.0, help="seconds that a server is away at most")
    parser.add_argument("--without", default="", help=f"kinds to leave out, with commas: {', '.join(storm_plan.GROUPS)}")
    parser.add_argument("--plan", action="store_true", help="print the plan and end")
    parser.add_argument("--folder")
    parser.add_argument("--binaries")
    arguments = parser.parse_args()
    arguments.archivers = arguments.archivers or (2 if arguments.seed % 2 == 0 else 1)
    without = {name for name in arguments.without.split(",") if name}
    if unknown := without - set(storm_plan.GROUPS):
        parser.error(f"--without knows no {', '.join(sorted(unknown))}")
    plan = storm_plan.make(arguments.seed, arguments.minutes * 60, arguments.archivers, arguments.longest, without)
    if arguments.plan:
        for action in plan:
            print(json.dumps(action))
        return 0
    # However it ends, the parts end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    storm = Storm(arguments)
    try:
        if not storm.start():
            return 1
        storm.blow(plan)
        verdict = storm.settle()
    except GaveUp as reason:
        print(reason, file=sys.stderr)
        return 1
    finally:
        storm.stop()
    faults = storm.faults
    storm_judge.show(verdict, storm.folder)
    print("done: " + " ".join(f"{name}={count}" for name, count in sorted(faults.done.items())), file=sys.stderr)
    ended = {part.name: part.ended for part in storm.parts.values() if part.ended}
    if ended:
        print(f"ended by themselves: {ended}", file=sys.stderr)
    print(f"storm: kills={faults.kills} outages={faults.outages} sent={verdict.sent} archived={verdict.archived} "
          f"lost={verdict.lost} duplicated={verdict.duplicated}")
    return 0 if verdict.good() else 1


if __name__ == "__main__":
    sys.exit(main())
