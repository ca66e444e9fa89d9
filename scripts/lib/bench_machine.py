"""Which machine and which versions the figures of scripts/bench are of."""

import os
import platform
import re
import subprocess
import sys

NOT_TOLD = "not told"


def said(*command):
    """The first line that a program prints, or that it cannot be asked."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return NOT_TOLD
    return next(iter((done.stdout or done.stderr).splitlines()), NOT_TOLD).strip()


def field(path, name):
    """The value of the first line `name : value` of a file in /proc."""
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return NOT_TOLD


def machine():
    """Processor, cores that this process may use, memory in GB, kernel."""
    memory = re.match(r"(\d+) kB", field("/proc/meminfo", "MemTotal"))
    return {
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory[1]) / 1024 / 1024, 1) if memory else NOT_TOLD,
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def packages(python, names):
    """Versions of Python packages of another interpreter."""
    program = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    found = said(python, "-c", program, *names).split()
    return dict(zip(names, found)) if len(found) == len(names) else {}


def versions(environ=os.environ):
    """Of everything that takes part."""
    library = re.search(r"libchdb-([\d.]+)", environ.get("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", ""))
    redis = re.search(r"v=([\d.]+)", said("redis-server", "--version"))
    found = {
        "rustc": said("rustc", "--version").removeprefix("rustc "),
        "nats-server": said(environ.get("SISE_NATS_SERVER", "nats-server"), "--version").removeprefix("nats-server: v"),
        "libchdb": library[1] if library else NOT_TOLD,
        "redis-server": redis[1] if redis else NOT_TOLD,
        "python": platform.python_version(),
    }
    python = environ.get("SISE_BENCH_PYTHON", sys.executable)
    return found | packages(python, ("websockets", "redis", "hiredis", "clickhouse-connect", "nats-py", "nats-sinks"))
