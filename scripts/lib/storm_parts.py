"""The processes of a storm: started, killed, frozen and started again, each with a log of its own."""

import os
import signal
import subprocess
import time

from storm_plan import CELLS


class Part:
    """One process that is kept alive unless the storm wants it dead."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, command, log
        self.process, self.back_at, self.frozen = None, 0.0, False
        #: Whether its next end is ours, and how many were not.
        self.expected, self.ended = False, 0

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.expected = self.frozen = False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        """To this process alone, which is our child and not yet waited for."""
        if self.alive():
            self.process.send_signal(number)

    def kill(self, away):
        """-9; it comes back after so many seconds, or later when something else wants that."""
        was_alive = self.alive()
        self.expected = True
        self.signal(signal.SIGKILL)
        self.wait(5)
        self.back_at = max(self.back_at, time.monotonic() + away)
        return was_alive

    def stop(self, seconds):
        """Asked to end, killed when it has not after so long."""
        self.expected = True
        self.thaw()
        self.signal(signal.SIGTERM)
        if not self.wait(seconds):
            self.kill(0)

    def wait(self, seconds):
        if self.process is None:
            return True
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def freeze(self):
        self.signal(signal.SIGSTOP)
        self.frozen = self.alive()

    def thaw(self):
        if self.frozen:
            self.signal(signal.SIGCONT)
        self.frozen = False

    def look(self, now):
        """Starts it when it is due. Returns its exit code when it has ended by itself."""
        if self.alive():
            return None
        code = None
        if self.process is not None and not self.expected:
            code, self.expected = self.process.returncode, True
            self.ended += 1
            # As a supervisor would: not at once.
            self.back_at = max(self.back_at, now + 1)
        if now >= self.back_at:
            self.start()
        return code


def make(folder, binaries, nats, ports, archivers):
    """All parts by name, the simulator first."""
    def log(name):
        return os.path.join(folder, "log", f"{name}.log")

    settings = os.path.join(folder, "sise.toml")
    commands = {
        "simulator": [os.path.join(binaries, "simulator")],
        "nats": [nats, "-c", "nats/server.conf", "-a", "127.0.0.1", "-p", str(ports["nats"]), "-m", str(ports["monitor"])],
        "clickhouse": [os.path.join(binaries, "clickhouse-embedded")],
        **{name: [os.path.join(binaries, "archiver")] for name in archivers},
        **{name: [os.path.join(binaries, name), "--config", settings] for name in CELLS},
    }
    return {name: Part(name, command, log(name)) for name, command in commands.items()}
