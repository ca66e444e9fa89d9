"""A seed turns into the plan of a storm: what happens when, as a list of plain values. Nothing here has a clock.

One generator makes the whole plan before anything starts, so that a seed names a plan on every machine. What the system
is doing when an action comes is not reproducible; the order, the targets and the pauses are.
"""

import random

CELLS = ("kis-service", "us-service", "kiwoom-service")
SERVERS = ("nats", "clickhouse")
#: Faults that can be left out by name: --without rollback,disk
GROUPS = ("kill", "outage", "freeze", "link", "frame", "poison", "redeliver", "tail", "disk", "rollback")
#: How often each kind is drawn, in hundredths. `disk` and `rollback` have places of their own.
WEIGHTS = {"kill": 46, "outage": 10, "freeze": 6, "link": 14, "frame": 12, "poison": 4, "redeliver": 3, "tail": 5}
#: Mean pause between two actions, in seconds: about 12 kills a minute.
PAUSE = 2.5
#: Nothing happens before, so that there is something to hurt, and nothing so close to the end that it hurts nothing.
QUIET_START, QUIET_END = 6.0, 4.0
BROKERS = ("kis", "kiwoom")
#: Streams whose records may grow a field.
GROWING = {"kis": ("H0STCNT0", "H0STASP0", "HDFSCNT0", "HDFSASP0"), "kiwoom": ("0B", "0D")}
FRAME_FAULTS = ("duplicate", "reorder", "truncate", "wrong_count", "garbage", "null", "drop", "grow")


def make(seed, seconds, archivers, longest, without):
    """The plan: a list of actions, each with `at` (seconds from the start) and `do`, by time."""
    dice = random.Random(seed)
    archiver_names = [f"archiver{n}" if n > 1 else "archiver" for n in range(1, archivers + 1)]
    parts = [*CELLS, *archiver_names, *SERVERS]
    kinds = [kind for kind in WEIGHTS if kind not in without]
    plan, at = [], QUIET_START
    while kinds and at < seconds - QUIET_END:
        kind = dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        plan += MAKERS[kind](dice, at, parts, longest)
        at += min(max(dice.expovariate(1 / PAUSE), 0.2), 4 * PAUSE)
    plan += store_faults(dice, seconds, longest, without)
    return sorted(plan, key=lambda action: action["at"])


def store_faults(dice, seconds, longest, without):
    """The disk fills once every two minutes; a copy of the store is taken and put back as often."""
    plan = []
    for start in range(0, max(1, int(seconds // 120)) * 120, 120):
        length = min(120.0, seconds)
        place = lambda share: start + share * length + dice.uniform(0, 0.05 * length)  # noqa: E731
        if "rollback" not in without:
            plan.append({"at": place(0.2), "do": "snapshot"})
            plan.append({"at": place(0.5), "do": "rollback"})
        if "disk" not in without:
            plan.append({"at": place(0.7), "do": "disk", "seconds": dice.uniform(1, min(longest, 5))})
    return plan


def kill(dice, at, parts, _longest):
    """One process, now and then again while it recovers, sometimes with a neighbour."""
    target = dice.choice(parts)
    plan = [{"at": at, "do": "kill", "target": target, "away": dice.choice([0, 0, 0, 0.5, 1, 2])}]
    if dice.random() < 0.25:
        for _ in range(dice.randint(1, 3)):
            at += dice.uniform(0.1, 1.5)
            plan.append({"at": at, "do": "kill", "target": target, "away": 0})
    elif dice.random() < 0.2:
        plan.append({"at": at, "do": "kill", "target": dice.choice(parts), "away": dice.choice([0, 1])})
    return plan


def outage(dice, at, _parts, longest):
    target, how = dice.choice(SERVERS), dice.choice(["TERM", "KILL"])
    return [{"at": at, "do": "outage", "target": target, "how": how, "seconds": dice.uniform(1, longest)}]


def freeze(dice, at, parts, _longest):
    return [{"at": at, "do": "freeze", "target": dice.choice(parts), "seconds": dice.uniform(0.5, 3)}]


def link(dice, at, _parts, _longest):
    broker = dice.choice(BROKERS)
    what = dice.choice(["cut", "cut", "reset", "reset", "stall", "mute", "dead_key", "429", "502"])
    fault = {"do": what, "broker": broker}
    if what in ("stall", "mute"):
        fault["seconds"] = dice.randint(1, 7)
    if what in ("429", "502"):
        fault["count"] = dice.randint(1, 2)
    faults = [fault]
    if what in ("dead_key", "429", "502"):
        # Only a new connection asks for a key.
        faults.append({"do": "cut", "broker": broker})
    return [{"at": at, "do": "fault", "faults": faults}]


def frame(dice, at, _parts, _longest):
    what, broker = dice.choice(FRAME_FAULTS), dice.choice(BROKERS)
    fault = {"do": what, "broker": broker}
    if what == "grow":
        fault["tr"] = dice.choice(GROWING[broker])
    faults = [fault] * (1 if what == "grow" else dice.randint(1, 5))
    plan = [{"at": at, "do": "fault", "faults": faults}]
    if what == "grow":
        plan.append({"at": at + dice.uniform(3, 10), "do": "fault", "faults": [{"do": "clear"}]})
    return plan


def poison(dice, at, _parts, _longest):
    return [{"at": at, "do": "poison", "count": dice.randint(1, 3), "salt": dice.randrange(1 << 30)}]


def redeliver(dice, at, _parts, _longest):
    return [{"at": at, "do": "redeliver", "count": dice.randint(1, 200)}]


def tail(dice, at, _parts, _longest):
    """The end of a killed cell's journal: cut, or with flipped bits."""
    action = {"at": at, "do": "tail", "target": dice.choice(CELLS), "how": dice.choice(["cut", "flip"])}
    return [{**action, "bytes": dice.randint(1, 3000), "bits": [dice.random() for _ in range(dice.randint(1, 3))]}]


MAKERS = {"kill": kill, "outage": outage, "freeze": freeze, "link": link, "frame": frame, "poison": poison,
          "redeliver": redeliver, "tail": tail}
