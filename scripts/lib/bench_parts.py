"""Processes that a benchmark starts and ends: their ports, whether they answer, what they cost."""

import json
import os
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    """So many ports that nobody listens on; held together, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Parts:
    """Everything that was started, ended together and in reverse, whatever happened meanwhile."""

    def __init__(self, folder):
        self.folder = folder
        self.running = {}
        os.makedirs(folder, exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.running)):
            self.stop(name)

    def log(self, name):
        return os.path.join(self.folder, f"{name}.log")

    def start(self, name, command, environment=None, reads=False):
        """Starts a program with its log in the folder; with `reads` its standard output can be read."""
        with open(self.log(name), "ab") as log:
            self.running[name] = subprocess.Popen(
                command, stdout=subprocess.PIPE if reads else log, stderr=log, text=True, env=os.environ | (environment or {}))
        return self.running[name]

    def stop(self, name):
        """Asks a program to end; after 20 s it is killed."""
        child = self.running.pop(name)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()

    def result(self, name, seconds):
        """The last line that a program printed before it ended well, as JSON."""
        child = self.running[name]
        try:
            text, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{name} did not end within {seconds:.0f} s; {self.end_of_log(name)}") from None
        del self.running[name]
        if child.returncode:
            raise RuntimeError(f"{name} ended with {child.returncode}; {self.end_of_log(name)}")
        lines = text.strip().splitlines()
        if not lines:
            raise RuntimeError(f"{name} said nothing; {self.end_of_log(name)}")
        return json.loads(lines[-1])

    def first_line(self, name, seconds):
        """The first line that a program prints, once it does."""
        stream = self.running[name].stdout
        if not select.select([stream], [], [], seconds)[0]:
            raise RuntimeError(f"{name} said nothing for {seconds} s; {self.end_of_log(name)}")
        line = stream.readline().strip()
        if not line:
            raise RuntimeError(f"{name} ended; {self.end_of_log(name)}")
        return line

    def ask(self, name, seconds):
        """Asks a program to end, and gives what it said last."""
        self.running[name].send_signal(signal.SIGTERM)
        return self.result(name, seconds)

    def end_of_log(self, name):
        with open(self.log(name), encoding="utf-8", errors="replace") as log:
            return "its log ends: " + " / ".join(log.read().splitlines()[-3:])

    def wait_until(self, what, seconds, done):
        """Waits until `done()` is true; a program that ended by itself meanwhile is an error."""
        end = time.monotonic() + seconds
        while not done():
            for name, child in self.running.items():
                if child.poll() not in (None, 0):
                    raise RuntimeError(f"{name} ended with {child.returncode}; {self.end_of_log(name)}")
            if time.monotonic() > end:
                raise RuntimeError(f"gave up after {seconds} s: {what}")
            time.sleep(0.05)

    def cpu_seconds(self, name):
        """Processor time of a program that runs, in user and system."""
        with open(f"/proc/{self.running[name].pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mb(self, name):
        """The most memory that a program which runs ever had, in MB."""
        with open(f"/proc/{self.running[name].pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def fetch(url, data=None, seconds=60):
    """The text that an address answers; what it says of an error is told."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=seconds) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url.partition('?')[0]}: {error.read().decode(errors='replace')[:500]}") from error


def answers(url):
    """A question for wait_until: whether an address answers."""
    def asked():
        try:
            fetch(url, seconds=2)
        except (OSError, RuntimeError):
            return False
        return True
    return asked
