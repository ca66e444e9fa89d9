"""What all clients share: events kept until they are enough, complaints of a client's log, and the last line.

Clients log what they cannot read and go on; here that is a failure.
"""

import logging
import sys
import threading
import time
from importlib.metadata import version

import tape

# Of each kind and instrument, before it is enough.
ENOUGH = 40
# Longer than the simulator waits for the answer to its ping.
LEAST_SECONDS = 7
MOST_SECONDS = 40


class Complaints(logging.Handler):
    """Keeps warnings and errors of a logger, but for the harmless ones, in place of printing them."""

    def __init__(self, logger, harmless=()):
        super().__init__(logging.WARNING)
        self.texts = []
        self.harmless = harmless
        logger.handlers[:] = [self]
        logger.propagate = False

    def emit(self, record):
        if record.getMessage() not in self.harmless:
            self.texts.append(record.getMessage())

    def check(self):
        """Fails with the first complaint."""
        if self.texts:
            raise tape.Mismatch(self.texts[0])


class Received:
    """Events by (kind, tape, symbol); a client's thread adds, another waits."""

    def __init__(self, instruments):
        """`instruments` are pairs of tape and symbol; of each, trades and books are expected."""
        self.events = {(kind, *pair): [] for pair in instruments for kind in ("trade", "order_book")}
        self.changed = threading.Condition()
        self.start = time.monotonic()

    def add(self, kind, name, symbol, event):
        """Keeps an event. One that was not asked for is an error in the caller's thread."""
        with self.changed:
            self.events[kind, name, symbol].append(event)
            self.changed.notify()

    def is_enough(self):
        """Whether there is enough of everything; fails when that takes too long."""
        seconds = time.monotonic() - self.start
        fewest = min(len(events) for events in self.events.values())
        if fewest < ENOUGH and seconds > MOST_SECONDS:
            counts = {" ".join(key): len(events) for key, events in self.events.items()}
            raise tape.Mismatch(f"not enough in {MOST_SECONDS} s: {counts}")
        return fewest >= ENOUGH and seconds >= LEAST_SECONDS

    def wait(self, complaints):
        """Waits until there is enough of everything."""
        with self.changed:
            while not self.is_enough():
                complaints.check()
                self.changed.wait(0.2)

    def count(self, kind):
        """All events of a kind."""
        return sum(len(events) for key, events in self.events.items() if key[0] == kind)


def run(source, package, main):
    """Runs `main`, which returns what was Received, and prints the last line; ends with 1 and the reason on failure."""
    name = f"interop {source} {package} {version(package)}"
    try:
        received = main()
    except tape.Mismatch as problem:
        sys.exit(f"{name}: {problem}")
    print(f"{name}: trades={received.count('trade')} books={received.count('order_book')}", flush=True)
