#!/usr/bin/env python3
"""Measures the design that sise replaces, and a public connector: lines of JSON like those of the program `bench`.

The baseline is bench_collector.py, redis-server and bench_subscriber.py, fed by `bench sender` and archiving into
clickhouse-embedded, all on this machine, as `path` is. Two ways to publish are measured in turns: waiting for Redis after each
event, as such collectors are written, and in pipelines, which is the best that is left in this design. The connector is
bench_connector.py over a backlog in JetStream.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import time

import bench_parts as parts_of

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SYMBOLS = [f"{number:03}000" for number in range(1, 21)]
#: Frames of a run as fast as they are read, rounds, seconds of a run at a rate, books of the connector's backlog.
FULL = {"each": 60_000, "pipelined": 120_000, "rounds": 3, "seconds": 15, "backlog": 200_000}
SMOKE = {"each": 600, "pipelined": 600, "rounds": 1, "seconds": 1, "backlog": 1_000}
#: Rates that are tried where events are lost or pile up at full speed, as parts of what was archived then.
STEPS = (1.0, 0.85, 0.7, 0.55, 0.4)
#: An archive that stands still for so long has all that it gets; it inserts once a second. It is behind by more than LAG at most.
STILL, LAG = 4.0, 3.0


class Baseline:
    """Redis and ClickHouse, and one run after the other through them."""

    def __init__(self, parts, options):
        self.parts, self.options = parts, options
        self.redis, self.clickhouse = parts_of.free_ports(2)
        self.url = f"http://127.0.0.1:{self.clickhouse}/"
        self.runs = 0

    def start(self):
        parts = self.parts
        parts.start("clickhouse", [os.path.join(self.options.binaries, "clickhouse-embedded")], {
            "SISE__CLICKHOUSE_EMBEDDED__LISTEN": f"127.0.0.1:{self.clickhouse}",
            "SISE__CLICKHOUSE_EMBEDDED__PATH": os.path.join(self.options.folder, "clickhouse")})
        # Without persistence, as pub/sub needs none; all other settings are Redis' own.
        parts.start("redis", ["redis-server", "--bind", "127.0.0.1", "--port", str(self.redis), "--save", "", "--appendonly", "no",
                              "--dir", self.options.folder])
        parts.wait_until("clickhouse-embedded answers", 60, parts_of.answers(self.url + "ping"))
        parts.wait_until("redis-server answers", 60, lambda: "Ready to accept connections" in self.log_of("redis"))

    def log_of(self, name):
        with open(self.parts.log(name), encoding="utf-8", errors="replace") as log:
            return log.read()

    def cuts(self):
        """How often Redis has cut off a subscriber that read too slowly."""
        return self.log_of("redis").count("output buffer limits")

    def sql(self, text, database="default"):
        return parts_of.fetch(f"{self.url}?database={database}", text.encode())

    def rows(self, database):
        return int(self.sql("SELECT (SELECT count() FROM trades) + (SELECT count() FROM order_books)", database))

    def run(self, publish, frames, rate=None):
        """Frames from the broker's socket to rows: what was archived, lost and how fast. Wrong counts are an error."""
        self.runs += 1
        parts, database = self.parts, f"baseline_{self.runs}"
        self.sql(f"CREATE DATABASE {database}")
        parts.start("subscriber", [python(), program("bench_subscriber.py"), "--redis-port", str(self.redis), "--clickhouse-port",
                                   str(self.clickhouse), "--database", database], reads=True)
        parts.first_line("subscriber", 60)
        rest, websocket = parts_of.free_ports(2)
        ports = ["--rest-port", str(rest), "--websocket-port", str(websocket)]
        parts.start("sender", [os.path.join(self.options.binaries, "bench"), "sender", *ports, "--frames", str(frames), "--registrations",
                               str(2 * len(SYMBOLS)), *(["--rate", str(rate)] if rate else [])], reads=True)
        parts.wait_until("the sender answers", 60, parts_of.answers(f"http://127.0.0.1:{rest}/status"))
        before, cuts = parts.cpu_seconds("redis"), self.cuts()
        parts.start("collector", [python(), program("bench_collector.py"), *ports, "--redis-port", str(self.redis), "--symbols",
                                  ",".join(SYMBOLS), "--frames", str(frames), "--publish", publish], reads=True)
        collector = parts.result("collector", 60 + frames / 500)
        sender = parts.result("sender", 60)
        self.wait_for_archive(database, collector["events"])
        cpu = parts.cpu_seconds("redis") - before
        subscriber = parts.ask("subscriber", 60)
        rows = self.rows(database)
        self.sql(f"DROP DATABASE {database}")
        run = outcome(frames, sender, collector, subscriber, rows, cpu, self.cuts() - cuts)
        told = f" at {rate} a second" if rate else ""
        print(f"baseline, {publish}{told}: {run['rows']} rows, {run['rate']:.0f}/s, {run['lost']} lost, "
              f"{run['cut']} times cut off by Redis", file=sys.stderr)
        return run

    def wait_for_archive(self, database, wanted):
        """Until every event is a row, or no row has come for a while."""
        last, since = -1, time.monotonic()
        while last < wanted and time.monotonic() - since < STILL:
            rows = self.rows(database)
            if rows != last:
                last, since = rows, time.monotonic()
            time.sleep(0.1)


def python():
    return os.environ.get("SISE_BENCH_PYTHON", sys.executable)


def program(name):
    return os.path.join(HERE, name)


def outcome(frames, sender, collector, subscriber, rows, redis_cpu, cut):
    """What one run gave. Counts that cannot be are an error; lost events are not."""
    if not frames == sender["sent"] == collector["frames"]:
        raise RuntimeError(f"of {frames} frames {sender['sent']} were sent and {collector['frames']} read")
    if collector["events"] < frames or rows > collector["events"] or not rows == subscriber["rows"] == subscriber["events"]:
        raise RuntimeError(f"{frames} frames, {collector['events']} events, {subscriber['events']} heard, {subscriber['rows']} inserted, "
                           f"{rows} rows; {subscriber['faults']}")
    lost = collector["events"] - rows
    if not rows or (lost and not cut):
        raise RuntimeError(f"{lost} of {collector['events']} events are lost, and not by Redis: {subscriber['faults']}")
    # The last insert is what was left and waited for its second: the rate is that of what was archived before it.
    (archived, until_ns), (_, last_ns) = (subscriber["marks"] * 2)[:2]
    return {
        "events": collector["events"], "rows": rows, "lost": lost, "cut": cut,
        "rate": archived / (until_ns - collector["first_ns"]) * 1e9, "behind": (last_ns - collector["last_ns"]) / 1e9,
        "cpu": (collector["cpu_seconds"] + subscriber["cpu_seconds"] + redis_cpu) / rows * 1e6,
        "peak_mb": max(collector["peak_mb"], subscriber["peak_mb"]),
    }


def measure(bench, name, value, unit, **more):
    return {"bench": bench, "name": name, "value": value, "unit": unit} | more


def middle(runs):
    """The run in the middle by its rate."""
    return sorted(runs, key=lambda run: run["rate"])[len(runs) // 2]


def lossless(baseline, runs, counts):
    """The best run that lost nothing and was not behind: at full speed, or at the first rate that goes well."""
    good = [run for run in runs["each"] + runs["pipelined"] if is_good(run)]
    fast = statistics.median(run["rate"] for run in runs["pipelined"])
    for step in () if any(map(is_good, runs["pipelined"])) else STEPS:
        rate = int(fast * step)
        run = baseline.run("pipelined", max(rate * counts["seconds"], 100), rate)
        if is_good(run) and run["rate"] > rate * 0.9:
            good.append(run)
            break
    return max(good, key=lambda run: run["rate"], default=None)


def is_good(run):
    return run["lost"] == 0 and run["behind"] <= LAG


def measures_of_baseline(baseline, counts, smoke):
    """Rounds in turns, and the figures of them."""
    if not smoke:
        baseline.run("each", counts["each"] // 10)
    runs = {"each": [], "pipelined": []}
    for _ in range(counts["rounds"]):
        for publish, of in runs.items():
            of.append(baseline.run(publish, counts[publish]))
    if smoke and any(run["lost"] for of in runs.values() for run in of):
        raise RuntimeError("events were lost of so few that nothing can have overflowed")
    found = []
    for publish, name in (("each", "full_speed"), ("pipelined", "pipelined")):
        run = middle(runs[publish])
        prefix = "" if publish == "each" else "pipelined_"
        lost, events = (sum(one[what] for one in runs[publish]) for what in ("lost", "events"))
        found += [
            measure("baseline", name, run["rate"], "rows/s"),
            measure("baseline", f"{prefix}lost", lost, "events", ratio=lost / events, beside=f"sent, {events} events"),
            measure("baseline", f"{prefix}cpu", run["cpu"], "s/million rows"),
            measure("baseline", f"{prefix}memory", run["peak_mb"], "MB"),
        ]
    best = None if smoke else lossless(baseline, runs, counts)
    if best:
        found.append(measure("baseline", "lossless", best["rate"], "rows/s"))
    return found


def measures_of_connector(baseline, parts, options, counts):
    """A backlog of books, archived by the connector."""
    port, count, database = parts_of.free_ports(1)[0], counts["backlog"], "connector"
    url = f"nats://127.0.0.1:{port}"
    parts.start("nats", [os.environ.get("SISE_NATS_SERVER", "nats-server"), "-js", "-sd", os.path.join(options.folder, "nats"),
                         "-a", "127.0.0.1", "-p", str(port)])
    parts.wait_until("nats-server answers", 60, lambda: "Server is ready" in baseline.log_of("nats"))
    baseline.sql(f"CREATE DATABASE {database}")
    with open(os.path.join(ROOT, "clickhouse", "002_order_books.sql"), encoding="utf-8") as file:
        baseline.sql(file.read(), database)
    call = ["--nats", url, "--count", str(count), "--clickhouse-port", str(baseline.clickhouse), "--database", database]
    said = {}
    for what in ("fill", "drain"):
        parts.start(what, [python(), program("bench_connector.py"), what, *call], reads=True)
        said[what] = parts.result(what, 120 + count / 500)
    rows = int(baseline.sql("SELECT count() FROM order_books", database))
    if not said["fill"]["messages"] == said["drain"]["rows"] == rows == count:
        raise RuntimeError(f"the connector: of {count} rows {said['fill']['messages']} in the stream, {said['drain']['rows']} "
                           f"taken, {rows} in the table")
    drained = said["drain"]
    return [
        measure("connector", "rows", rows / drained["seconds"], "rows/s"),
        measure("connector", "cpu", drained["cpu_seconds"] / rows * 1e6, "s/million rows"),
        measure("connector", "memory", drained["peak_mb"], "MB"),
        measure("connector", "payload", said["fill"]["payload_bytes"], "bytes"),
    ]


def against_path(beside, found):
    """The headline: the whole path of sise by the baseline of the same run. None where `path` did not run."""
    value = {one["name"]: one["value"] for one in found if one["bench"] == "baseline"}
    sise = next((one["value"] for one in beside if one["bench"] == "path" and one["name"] == "rows"), None)
    if sise is None:
        return []
    over = []
    for name, key, more in (("over_baseline", "full_speed", {"limit": {"at_least": 10.0}}), ("over_pipelined", "pipelined", {})):
        over.append(measure("path", name, sise, "rows/s", ratio=sise / value[key], beside=f"baseline {key}, {value[key]:.0f} rows/s",
                            **more))
    return over


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--beside", default="[]", help="measures of this run, for ratios")
    options = parser.parse_args()
    options.folder, options.binaries = os.path.abspath(options.folder), os.path.abspath(options.binaries)
    counts = SMOKE if options.smoke else FULL
    shutil.rmtree(options.folder, ignore_errors=True)
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with parts_of.Parts(options.folder) as parts:
        baseline = Baseline(parts, options)
        baseline.start()
        found = measures_of_baseline(baseline, counts, options.smoke)
        found += against_path(json.loads(options.beside), found)
        found += measures_of_connector(baseline, parts, options, counts)
    for one in found:
        print(json.dumps(one))
    shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
