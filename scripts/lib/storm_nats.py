"""A few words of NATS over a socket: publish, ask, read a stream by sequence. Shares no code with the services."""

import base64
import json
import socket


class NatsError(Exception):
    """The server is away, or says no."""


class Nats:
    """A connection as one user; every call ends within `timeout` seconds."""

    def __init__(self, port, user, password, timeout=2.0):
        self.user, self.buffer, self.count = user, b"", 0
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout)
            self.socket.settimeout(timeout)
            self.line()
            login = {"user": user, "pass": password, "verbose": False, "pedantic": False, "headers": True, "lang": "python",
                     "version": "0", "no_responders": True}
            self.send(f"CONNECT {json.dumps(login)}\r\nSUB _INBOX.{user}.storm.* 1\r\nPING\r\n".encode())
            while (answer := self.line()) != b"PONG":
                if answer.startswith(b"-ERR"):
                    raise NatsError(answer.decode())
        except OSError as error:
            raise NatsError(str(error)) from error

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise NatsError(str(error)) from error

    def fill(self):
        try:
            more = self.socket.recv(1 << 16)
        except OSError as error:
            raise NatsError(str(error)) from error
        if not more:
            raise NatsError("connection closed")
        self.buffer += more

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def take(self, size):
        while len(self.buffer) < size + 2:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
        return data

    def publish(self, subject, payload, reply=""):
        self.send(f"PUB {subject} {reply} {len(payload)}\r\n".encode() + payload + b"\r\n")

    def request(self, subject, payload=b""):
        """The answer's payload."""
        self.count += 1
        inbox = f"_INBOX.{self.user}.storm.{self.count}"
        self.publish(subject, payload, inbox)
        while True:
            words = self.line().decode().split()
            if words[0] == "PING":
                self.send(b"PONG\r\n")
            elif words[0] == "-ERR":
                raise NatsError(" ".join(words))
            elif words[0] == "MSG":
                data = self.take(int(words[-1]))
                if words[1] == inbox:
                    return data
            elif words[0] == "HMSG":
                head, data = int(words[-2]), self.take(int(words[-1]))
                if words[1] == inbox:
                    if data[:head].startswith(b"NATS/1.0 503"):
                        raise NatsError(f"nobody answers {subject}")
                    return data[head:]

    def ask(self, subject, request=None):
        """A request of JetStream's interface, as JSON; its error is ours."""
        answer = json.loads(self.request(subject, json.dumps(request).encode() if request else b""))
        if "error" in answer:
            raise NatsError(f"{subject}: {answer['error'].get('description')}")
        return answer

    def stream(self, name):
        return self.ask(f"$JS.API.STREAM.INFO.{name}")["state"]

    def consumer(self, stream, name):
        return self.ask(f"$JS.API.CONSUMER.INFO.{stream}.{name}")

    def messages(self, stream, subject):
        """All messages of a stream in order: sequence, subject, headers (bytes), payload."""
        at = 1
        while True:
            try:
                found = self.ask(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": at, "next_by_subj": subject})["message"]
            except NatsError as error:
                if "no message found" in str(error):
                    return
                raise
            decode = base64.b64decode
            yield found["seq"], found["subject"], decode(found.get("hdrs", "")), decode(found.get("data", ""))
            at = found["seq"] + 1
