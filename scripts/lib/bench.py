#!/usr/bin/env python3
"""Runs benchmarks one after the other, prints their figures as lines and keeps them as bench.json and bench.html in a folder.

Those of the program `bench` print measures as lines of JSON; `baseline` is bench_baseline.py, which prints the same. Exit code 1
when one failed, which a wrong count is too; a bar that is missed is told and is no failure.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys

import bench_chart
import bench_machine
import bench_report

#: In the order in which they run; `baseline` after `path`, whose figure it is set beside.
NAMES = ("parse", "encode", "journal", "publish", "archive", "path", "baseline", "latency", "footprint", "growth", "queries")
HERE = os.path.dirname(os.path.abspath(__file__))


def command(name, options, measures):
    """The command line of a benchmark."""
    common = ["--folder", os.path.join(options.folder, name), "--binaries", options.binaries] + ["--smoke"] * options.smoke
    if name != "baseline":
        return [os.path.join(options.binaries, "bench"), name, *common]
    return [sys.executable, os.path.join(HERE, "bench_baseline.py"), *common, "--beside", json.dumps(measures)]


def run(line):
    """What a benchmark printed and its exit code. Its own processes end with it, also when this one is interrupted."""
    child = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        text, _ = child.communicate()
        return text, child.returncode
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


def of_path(measures):
    """The figures that `baseline` is set beside."""
    return [measure for measure in measures if measure["bench"] == "path"]


def not_judged(measures):
    """Figures without their bars: those of a smoke run are of nothing."""
    return [{key: value for key, value in measure.items() if key != "limit"} for measure in measures]


def all_of(names, options):
    """Measures of all benchmarks, and the names of those that failed. Prints each one's lines as it ends."""
    measures, failed = [], []
    for position, name in enumerate(names):
        print(f"\n== {name}", file=sys.stderr)
        found, fault = [], ""
        try:
            text, code = run(command(name, options, of_path(measures)))
            fault = f"exit code {code}" if code else ""
            found = bench_report.read(text)
        except (OSError, ValueError) as error:
            fault = fault or str(error)
        if not found and not fault:
            fault = "no figure"
        found = not_judged(found) if options.smoke else found
        measures += found
        for line in bench_report.lines(found, head=position == 0):
            print(line, flush=True)
        if fault:
            print(f"{name}/failed: {fault}", flush=True)
            failed.append(name)
    return measures, failed


def keep(options, names, measures, failed):
    """Writes bench.json and bench.html."""
    settings = {"names": " ".join(names), "smoke": options.smoke, "debug": options.debug, "binaries": options.binaries}
    result = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": bench_machine.machine(), "versions": bench_machine.versions(), "settings": settings,
        "failed": failed, "measures": measures,
    }
    os.makedirs(options.folder, exist_ok=True)
    with open(os.path.join(options.folder, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    with open(os.path.join(options.folder, "bench.html"), "w", encoding="utf-8") as file:
        file.write(bench_chart.page(result))
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    # Asked to end, it goes the way of an interrupted run, so that nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = [name for name in NAMES if name in options.names or not options.names]
    measures, failed = all_of(names, options)
    result = keep(options, names, measures, failed)
    missed = [bench_report.full_name(measure) for measure in measures if bench_report.kept(measure) is False]
    machine = result["machine"]
    print(f"\n{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['kernel']}; "
          + ", ".join(f"{name} {version}" for name, version in result["versions"].items()))
    print(f"bench: {len(measures)} figures, {len(missed)} bars missed, {len(failed)} of {len(names)} benchmarks failed; "
          f"{options.folder}/bench.json, {options.folder}/bench.html")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
