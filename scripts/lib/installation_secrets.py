"""Keys and passwords of an installation into a folder: scripts/secrets says which and for whom.

Everything random comes from the operating system; OpenSSL derives public keys and signs certificates. Nothing secret is
printed, passed on a command line or written with other rights than 0600.
"""

import argparse
import base64
import binascii
import hashlib
import os
import re
import secrets as random
import subprocess
import sys
import tempfile
from pathlib import Path

CLICKHOUSE_USERS = ["archiver", "gap-finder", "gateway", "analyst", "sise"]
# Prefix bytes of nkeys: a seed, a user's public key.
SEED, USER = 18 << 3, 20 << 3
# An Ed25519 private key in DER is this and the 32 bytes of the seed.
DER = bytes.fromhex("302e020100300506032b657004220420")

KIS = """# App keys of KIS, as SISE__KIS__KEYS__<NAME>__APP_KEY and __APP_SECRET; __MARKET gives a key to one market (kr, us).
SISE__KIS__KEYS__MAIN__APP_KEY=
SISE__KIS__KEYS__MAIN__APP_SECRET=
SISE__KIS__KEYS__MAIN__MARKET=
"""
KIWOOM = """# App keys of Kiwoom, as SISE__KIWOOM__KEYS__<NAME>__APP_KEY and __APP_SECRET.
SISE__KIWOOM__KEYS__MAIN__APP_KEY=
SISE__KIWOOM__KEYS__MAIN__APP_SECRET=
"""


class Place:
    """A folder of secrets. What is there is kept."""

    def __init__(self, folder, owner):
        self.folder, self.owner = Path(folder), owner
        self.made = []
        self.directory(self.folder)

    def directory(self, path):
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o755)
        self.own(path)

    def own(self, path):
        if self.owner is not None:
            os.chown(path, *self.owner)

    def write(self, name, text, mode, again=False):
        """Writes a file that has its rights before its content; true when it was not there."""
        path = self.folder / name
        if path.exists() and not again:
            return False
        self.directory(path.parent)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self.own(part)
        os.replace(part, path)
        self.made.append(str(path))
        return True

    def read(self, name):
        return (self.folder / name).read_text().strip()


def encode(raw):
    """Bytes as nkeys are written: with a checksum, in base 32."""
    checksum = binascii.crc_hqx(raw, 0)
    return base64.b32encode(raw + checksum.to_bytes(2, "little")).decode().rstrip("=")


def new_seed():
    # The kind of the key stands in the bits that are left of two bytes.
    return encode(bytes([SEED | USER >> 5, USER << 3 & 0xFF]) + os.urandom(32))


def public_key(seed):
    raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    if len(raw) != 36 or encode(raw[:-2]) != seed:
        sys.exit("secrets: a seed is damaged: `scripts/secrets rotate` its user")
    command = ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"]
    der = subprocess.run(command, input=DER + raw[2:34], stdout=subprocess.PIPE, check=True).stdout
    return encode(bytes([USER]) + der[-32:])


def users_of(permissions):
    return re.findall(r'user: "([a-z-]+)", password: \$[A-Z_]+', permissions)


def make_nats(place):
    permissions = Path("nats/permissions.conf").read_text()
    users = users_of(permissions)
    if len(users) != permissions.count("password:"):
        sys.exit("secrets: nats/permissions.conf has a user that is not written as the others")
    for user in users:
        place.write(f"nats/{user}.nk", new_seed() + "\n", 0o600)
    keys = {user: public_key(place.read(f"nats/{user}.nk")) for user in users}
    conf = re.sub(r'user: "([a-z-]+)", password: \$[A-Z_]+', lambda m: f'nkey: {keys[m[1]]} # {m[1]}', permissions)
    head = "# Written by scripts/secrets from nats/permissions.conf: change that and run `scripts/secrets init` again.\n"
    path = place.folder / "nats/users.conf"
    if not path.exists() or path.read_text() != head + conf:
        place.write("nats/users.conf", head + conf, 0o644, again=True)
    place.write("nats/tls.conf", "# Without TLS. `scripts/secrets tls NAME…` makes certificates.\n", 0o644)


def make_clickhouse(place):
    template = Path("clickhouse/users.xml").read_text()
    for user in CLICKHOUSE_USERS:
        place.write(f"clickhouse/{user}", random.token_hex(24) + "\n", 0o600)
        digest = hashlib.sha256(place.read(f"clickhouse/{user}").encode()).hexdigest()
        if f"@{user}@" not in template:
            sys.exit(f"secrets: clickhouse/users.xml has no @{user}@")
        template = template.replace(f"@{user}@", digest)
    path = place.folder / "clickhouse/users.xml"
    if not path.exists() or path.read_text() != template:
        place.write("clickhouse/users.xml", template, 0o644, again=True)


def init(place):
    make_nats(place)
    make_clickhouse(place)
    place.write("brokers/kis.env", KIS, 0o600)
    place.write("brokers/kiwoom.env", KIWOOM, 0o600)


def openssl(*arguments):
    run = subprocess.run(["openssl", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if run.returncode != 0:
        sys.exit(f"secrets: openssl {arguments[0]}: {run.stderr.decode().strip()}")


def tls(place, names):
    """An authority (kept when it is there) and a certificate of the server for the names."""
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9.:-]+", name):
            sys.exit(f"secrets: not a name or address: {name}")
    is_address = lambda name: ":" in name or re.fullmatch(r"[0-9.]+", name)
    alternative = ",".join(("IP:" if is_address(name) else "DNS:") + name for name in names)
    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        authority = place.folder / "nats/ca.key"
        if authority.exists():
            ca_key, ca = str(authority), str(place.folder / "nats/ca.pem")
        else:
            ca_key, ca = at("ca.key"), at("ca.pem")
            openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "3650", "-subj", "/CN=sise bus authority",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
                    "-keyout", ca_key, "-out", ca)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=sise bus",
                "-keyout", at("server.key"), "-out", at("request.pem"))
        Path(at("extensions")).write_text(
            f"subjectAltName={alternative}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", at("request.pem"), "-CA", ca, "-CAkey", ca_key, "-set_serial",
                str(int.from_bytes(os.urandom(8), "big")), "-days", "825", "-extfile", at("extensions"), "-out", at("server.pem"))
        place.write("nats/ca.key", Path(ca_key).read_text(), 0o600)
        place.write("nats/ca.pem", Path(ca).read_text(), 0o644)
        place.write("nats/server.key", Path(at("server.key")).read_text(), 0o600, again=True)
        place.write("nats/server.pem", Path(at("server.pem")).read_text(), 0o644, again=True)
    text = """# Written by `scripts/secrets tls`. The server needs the paths of server.pem and server.key as it sees them.
tls {
  cert_file: $SISE_NATS_TLS_CERT
  key_file: $SISE_NATS_TLS_KEY
  timeout: 5
}
"""
    place.write("nats/tls.conf", text, 0o644, again=True)


def cluster(place, nodes):
    """How the nodes of a cluster find each other: the same file for each."""
    for node in nodes:
        if not re.fullmatch(r"[A-Za-z0-9.-]+:\d+", node):
            sys.exit(f"secrets: not NODE:PORT: {node}")
    # Begins with a letter: the server takes what begins with a digit for a number.
    password = "c" + random.token_hex(24)
    routes = "\n".join(f'  "nats-route://route:{password}@{node}"' for node in nodes)
    text = f'authorization {{ user: route, password: "{password}", timeout: 5 }}\nroutes: [\n{routes}\n]\n'
    place.write("nats/cluster.conf", "# Written by `scripts/secrets cluster`.\n" + text, 0o600, again=True)


def rotate(place, user):
    nats, clickhouse = f"nats/{user}.nk", f"clickhouse/{user}"
    if not any((place.folder / name).exists() for name in [nats, clickhouse]):
        sys.exit(f"secrets: no user {user} in {place.folder}")
    if (place.folder / nats).exists():
        place.write(nats, new_seed() + "\n", 0o600, again=True)
    if (place.folder / clickhouse).exists():
        place.write(clickhouse, random.token_hex(24) + "\n", 0o600, again=True)
    make_nats(place)
    make_clickhouse(place)


def owner(text):
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError("UID:GID")
    return int(match[1]), int(match[2])


def main():
    parser = argparse.ArgumentParser(prog="scripts/secrets")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--folder", default="secrets")
    common.add_argument("--owner", type=owner, default=(1000, 1000) if os.geteuid() == 0 else None)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", parents=[common])
    commands.add_parser("tls", parents=[common]).add_argument("names", nargs="+")
    commands.add_parser("cluster", parents=[common]).add_argument("nodes", nargs="+")
    commands.add_parser("rotate", parents=[common]).add_argument("user")
    arguments = parser.parse_args()
    os.umask(0o077)
    place = Place(arguments.folder, arguments.owner)
    if arguments.command == "init":
        init(place)
    elif arguments.command == "tls":
        tls(place, arguments.names)
    elif arguments.command == "cluster":
        cluster(place, arguments.nodes)
    else:
        rotate(place, arguments.user)
    for path in place.made:
        print(f"made {path}")
    if not place.made:
        print(f"{place.folder}: everything is there")


main()
