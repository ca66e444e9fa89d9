#!/usr/bin/env python3
"""The system in containers as compose.yaml has it: started, a cell restarted, another killed, taken down, started again.

Asks only what everybody may: the published ports on loopback, and Docker. Environment: SISE_COMPOSE (the client of Compose),
SISE_SECRETS_FOLDER, SISE_PORT_* as compose.yaml reads them. The last line says how many checks passed; what fails ends the run.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path

COMPOSE = os.environ.get("SISE_COMPOSE", "docker compose").split()
COMMAND = [*COMPOSE, "--env-file", "config/demo.env", "--profile", "demo"]
PROJECT = os.environ["COMPOSE_PROJECT_NAME"]
SECRETS = Path(os.environ["SISE_SECRETS_FOLDER"])
DATABASE = "sise_demo"
ONCE = {"prepare", "streams", "migrate"}
CELLS = {"kis-service": ("kis", "kr"), "us-service": ("kis", "us"), "kiwoom-service": ("kiwoom", "kr")}
SERVICES = {"nats", "clickhouse", "archiver", "gap-finder", "gateway", "simulator", *CELLS}
#: Everything that is waited for: generous, since the machine may be busy with other things.
PATIENCE = 240


class Failed(Exception):
    """A check that did not hold."""


def run(*command, limit=PATIENCE, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def compose(*arguments):
    return run(*COMMAND, *arguments)


def containers():
    """Container by service, as Docker tells it."""
    ids = run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
    found = json.loads(run("docker", "inspect", *ids)) if ids else []
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}


def logs(service):
    one = containers().get(service)
    if not one:
        return f"{service}: no container"
    done = subprocess.run(["docker", "logs", "--tail", "15", one["Id"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f"{service}:\n{done.stdout}"


def wait(what, condition, services=()):
    """Waits until `condition` gives something, and gives it back."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"gave up after {PATIENCE} s: {what}\n" + "\n".join(logs(service) for service in services))
        time.sleep(0.5)


def moment(text):
    """A time of Docker's in seconds; it has nine digits behind the second, and perhaps a zone."""
    plain = re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00")
    if "." not in plain:
        plain = plain.replace("+00:00", ".000000+00:00")
    return datetime.fromisoformat(plain).timestamp()


def healthy(one):
    return one["State"]["Running"] and one["State"].get("Health", {}).get("Status") == "healthy"


def all_ready(seen):
    """True when all services are healthy and what runs once has ended well. Notes in `seen` when each became so."""
    found = containers()
    for name in ONCE:
        state = found[name]["State"] if name in found else {}
        if state.get("Status") == "exited" and state.get("ExitCode") != 0 and found[name]["RestartCount"] >= 5:
            raise Failed(f"{name} failed\n{logs(name)}")
    for name in SERVICES:
        one = found.get(name)
        if one and healthy(one) and name not in seen:
            good = [check for check in one["State"]["Health"]["Log"] if check["ExitCode"] == 0]
            seen[name] = moment(good[0]["End"]) - moment(one["State"]["StartedAt"])
        if one and one["RestartCount"] >= 6:
            raise Failed(f"{name} does not stay up\n{logs(name)}")
    ended = all(found.get(name, {}).get("State", {}).get("Status") == "exited" for name in ONCE)
    return ended and all(name in found and healthy(found[name]) for name in SERVICES)


def http(port, path, body=None, headers=None):
    request = urllib.request.Request(f"http://127.0.0.1:{os.environ[port]}{path}", data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def sql(query):
    """Rows of a query, asked as the user who only reads."""
    headers = {"X-ClickHouse-User": "analyst", "X-ClickHouse-Key": (SECRETS / "clickhouse/analyst").read_text().strip()}
    text = http("SISE_PORT_CLICKHOUSE", f"/?database={DATABASE}&default_format=JSONCompactEachRow", query.encode(), headers)
    return [json.loads(line) for line in text.splitlines()]


def feeds():
    """Trades and connections that brought them, by feed."""
    query = "SELECT source, market, toString(count()), arrayMap(x -> toString(x), groupUniqArray(connection_id)) FROM trades GROUP BY source, market"
    return {(source, market): (int(rows), set(connections)) for source, market, rows, connections in sql(query)}


def flowing():
    """Waits until every feed has more rows than now."""
    before = feeds()
    more = lambda: (now := feeds()) and all(now.get(feed, (0,))[0] > before.get(feed, (0,))[0] for feed in CELLS.values())
    wait("every feed brings rows", more, [*CELLS, "archiver"])


def lives():
    """What changes when a container is started again, by service."""
    return {name: (one["Id"], one["State"]["StartedAt"], one["RestartCount"]) for name, one in containers().items() if name in SERVICES}


def untouched(before, but):
    now = lives()
    changed = [name for name in before if name != but and before[name] != now.get(name)]
    if changed:
        raise Failed(f"{but} was to be alone, but these were started again: {changed}")


def starts():
    seen = {}
    compose("up", "--detach", "--no-build")
    wait("every service is healthy", lambda: all_ready(seen), sorted(SERVICES | ONCE))
    for name, seconds in sorted(seen.items(), key=lambda pair: pair[1]):
        print(f"  ready after {seconds:5.1f} s  {name}")
    wait("rows of three feeds", lambda: set(feeds()) >= set(CELLS.values()), [*CELLS, "archiver"])
    print("  rows:", ", ".join(f"{source} {market} {rows}" for (source, market), (rows, _) in sorted(feeds().items())))


def shows_itself():
    """The page and the gateway's readiness, over the published port."""
    if "<html" not in http("SISE_PORT_GATEWAY", "/"):
        raise Failed("the gateway serves no page")
    http("SISE_PORT_GATEWAY", "/readyz")
    status = http("SISE_PORT_GATEWAY", "/v1/symbols")
    if "005930" not in status:
        raise Failed(f"the gateway knows no symbol: {status[:300]}")


def keeps_itself_in():
    """No root, no writable image, no capability, nothing published but on loopback."""
    for name, one in containers().items():
        host = one["HostConfig"]
        if one["Config"]["User"].split(":")[0] in ("", "0", "root") and name != "prepare":
            raise Failed(f"{name} runs as root")
        if not host["ReadonlyRootfs"] or "ALL" not in (host["CapDrop"] or []) or not host["SecurityOpt"]:
            raise Failed(f"{name} is not shut in: {host['ReadonlyRootfs']} {host['CapDrop']} {host['SecurityOpt']}")
        for port, places in (host["PortBindings"] or {}).items():
            if any(place["HostIp"] != "127.0.0.1" for place in places or []):
                raise Failed(f"{name} publishes {port} to others than this machine")
        if name in SERVICES and not (host["Memory"] and host["LogConfig"]["Config"].get("max-size")):
            raise Failed(f"{name} has no limit of memory or logs")


def keeps_secrets():
    """No key or password of the installation in what Docker shows of containers and images, or in a log."""
    values = {path.read_text().strip() for path in SECRETS.rglob("*") if path.is_file() and path.stat().st_mode & 0o077 == 0}
    values = {value for value in values if len(value) >= 20 and "\n" not in value}
    if len(values) < 10:
        raise Failed(f"only {len(values)} secrets were found to look for")
    for name, one in containers().items():
        done = subprocess.run(["docker", "logs", one["Id"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        shown = json.dumps(one) + done.stdout + run("docker", "history", "--no-trunc", one["Image"]) + run("docker", "image", "inspect", one["Image"])
        if any(value in shown for value in values):
            raise Failed(f"{name} shows a secret")


def stranger_is_refused():
    """ClickHouse lets nobody in without a password."""
    try:
        http("SISE_PORT_CLICKHOUSE", "/?query=SELECT%201")
    except urllib.error.HTTPError as error:
        if error.code in (401, 403) or "uthentication" in error.read().decode():
            return
        raise
    raise Failed("ClickHouse answers somebody without a password")


def restarts_alone():
    before, old = lives(), feeds()
    compose("restart", "kiwoom-service")
    wait("kiwoom-service is healthy again", lambda: healthy(containers()["kiwoom-service"]), ["kiwoom-service"])
    feed = CELLS["kiwoom-service"]
    wait("rows of a new connection", lambda: feeds()[feed][1] - old[feed][1], ["kiwoom-service", "archiver"])
    untouched(before, "kiwoom-service")
    flowing()
    for name in ["kis-service", "us-service"]:
        if feeds()[CELLS[name]][1] != old[CELLS[name]][1]:
            raise Failed(f"{name} lost its connection when kiwoom-service was restarted")


def is_killed_alone():
    before, old = lives(), feeds()
    one = containers()["kis-service"]
    # As the machine would: Docker does not take it for a stop, and starts it again.
    run("docker", "run", "--rm", "--pid", "host", "--user", "0:0", "--network", "none", os.environ.get("SISE_IMAGE", "sise:latest"),
        "kill", "-9", str(one["State"]["Pid"]))
    again = lambda: (now := containers()["kis-service"]) and now["RestartCount"] > one["RestartCount"] and healthy(now)
    wait("kis-service is started again", again, ["kis-service"])
    feed = CELLS["kis-service"]
    wait("rows of a new connection", lambda: feeds()[feed][1] - old[feed][1], ["kis-service", "archiver"])
    untouched(before, "kis-service")
    flowing()
    for name in ["us-service", "kiwoom-service"]:
        if feeds()[CELLS[name]][1] != old[CELLS[name]][1]:
            raise Failed(f"{name} lost its connection when kis-service was killed")


def tools_work():
    """`sise` of nats-box, with its credentials in place, against the bus and the archive."""
    line = compose("run", "--rm", "-T", "nats-box", "sise", "tap", "ticker.>", "--count", "1")
    if json.loads(line.strip().splitlines()[-1]).get("symbol") is None:
        raise Failed(f"sise tap says {line!r}")
    compose("run", "--rm", "-T", "nats-box", "sise", "streams", "diff")
    compose("run", "--rm", "-T", "nats-box", "sise", "migrate", "--check")
    # 1 is a judgement and no failure; 2 would be "cannot look".
    status = compose("run", "--rm", "-T", "nats-box", "sh", "-c", "sise status --once --json || [ $? -eq 1 ]")
    if not json.loads(status[status.index("{"):]):
        raise Failed(f"sise status says {status!r}")


def goes_down_and_comes_back():
    compose("stop", "--timeout", "90")
    for name, one in containers().items():
        if one["State"]["ExitCode"] != 0:
            raise Failed(f"{name} did not stop in order: exit code {one['State']['ExitCode']}\n{logs(name)}")
    # What nobody has archived yet waits in the bus: the count may only grow.
    compose("up", "--detach", "--no-build")
    wait("every service is healthy", lambda: all_ready({}), sorted(SERVICES))
    before = feeds()
    compose("down", "--timeout", "90")
    if containers():
        raise Failed(f"containers are left: {sorted(containers())}")
    if left := run("docker", "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}").split():
        raise Failed(f"networks are left: {left}")
    compose("up", "--detach", "--no-build")
    wait("every service is healthy", lambda: all_ready({}), sorted(SERVICES))
    after = feeds()
    for feed, (rows, connections) in before.items():
        if after.get(feed, (0, set()))[0] < rows or not connections <= after[feed][1]:
            raise Failed(f"{feed} had {rows} rows before, {after.get(feed, (0,))[0]} after")
    flowing()
    # What the archiver had asked for when it was stopped is delivered again after ack_wait, a minute.
    wait("everything is archived", lambda: not sql("SELECT stream FROM never_archived LIMIT 1"), ["archiver"])
    doubled = sql("SELECT toString(count() - uniqExact(source, market, event_id)) FROM trades")[0][0]
    if doubled != "0":
        raise Failed(f"{doubled} trades are there twice")


def figures():
    """Memory of each service and sizes of images, to look at."""
    ids = [one["Id"] for name, one in containers().items() if name in SERVICES]
    lines = run("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.CPUPerc}}", *ids).splitlines()
    for line in sorted(lines):
        print("  memory", line)


def main():
    checks = [starts, shows_itself, keeps_itself_in, stranger_is_refused, restarts_alone, is_killed_alone, tools_work, figures,
              goes_down_and_comes_back, keeps_secrets]
    started, passed = time.monotonic(), 0
    try:
        for check in checks:
            check()
            passed += 1
            print(f"compose: {check.__name__.replace('_', ' ')} ({time.monotonic() - started:.0f} s)", flush=True)
    except (Failed, subprocess.TimeoutExpired) as problem:
        print(f"compose: {check.__name__.replace('_', ' ')} FAILED: {problem}", file=sys.stderr)
        return 1
    finally:
        if not os.environ.get("SISE_COMPOSE_KEEP"):
            subprocess.run([*COMMAND, "down", "--volumes", "--timeout", "30"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"compose: {passed} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
