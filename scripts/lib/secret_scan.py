"""Looks for secrets in every file that is tracked or would be: detect-secrets' own patterns, and those of keys that are used here.

Prints how many files were read, or each finding as file, line and kind, never the value; exit code 1 then. Before it looks it
makes sure that it would find: a secret of each kind, made on the spot, in a file of its own.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

PLUGINS = [
    "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "DiscordBotTokenDetector", "GitHubTokenDetector",
    "GitLabTokenDetector", "JwtTokenDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector",
    "SendGridDetector", "SlackDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
]
#: Kind and form of what this house has: seeds of NATS keys, the brokers' app keys and secrets where they are assigned, and
#: passwords of .env files.
OURS = {
    "nkey seed": re.compile(r"\bS[UANOCX][A-Z2-7]{56}\b"),
    "KIS app key": re.compile(r"\bPS[A-Za-z0-9]{34}\b"),
    "app secret": re.compile(r"(?i)(?:app_?secret|secret_?key)[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9+/_-]{40,}"),
    "app key": re.compile(r"(?i)app_?key[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9+/_-]{32,}"),
    "password": re.compile(r"SISE__[A-Z_]*(?:PASSWORD|TOKEN)S?(?:__[A-Z_]+)?=[\"']?[A-Za-z0-9+/_-]{16,}"),
}
#: A line that says so is left alone; words like these are test values and places to fill in.
ALLOWED = re.compile(r"pragma: allowlist secret|hunter2|EXAMPLE|example|simulated|demo-app|placeholder")
SETTINGS = {"plugins_used": [{"name": name} for name in PLUGINS]}


def findings(path):
    """Line and kind of everything in a file that looks like a secret."""
    secrets = SecretsCollection()
    secrets.scan_file(path)
    found = {(secret.line_number, secret.type) for _, secret in secrets}
    try:
        lines = open(path, encoding="utf-8").read().splitlines()
    except UnicodeDecodeError:
        return []
    for number, line in enumerate(lines, 1):
        found |= {(number, kind) for kind, form in OURS.items() if form.search(line)}
    return sorted((number, kind) for number, kind in found if not ALLOWED.search(lines[number - 1]))


def finds_what_it_looks_for():
    """A secret of each kind, which no file may hold, so they are put together here."""
    letters = base64.b32encode(os.urandom(40)).decode()
    samples = [
        "S" + "U" + letters[:56], "P" + "S" + letters[:34], "app_" + f"secret = \"{letters[:60]}\"", "SISE__KIS__KEYS__MAIN__APP_" + "KEY=" + letters[:36],
        "SISE__NATS__PASSWORDS__ARCHIVER" + "=" + letters[:20], "-----BEGIN " + "PRIVATE KEY-----", "ghp_" + letters[:36], "AKIA" + letters[:16],
        "nats://archiver:" + letters[:12] + "@127.0.0.1:4222",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for sample in samples:
            path = os.path.join(folder, "sample.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write(sample + "\n")
            if not findings(path):
                sys.exit(f"secrets: the scan does not find what begins with {sample[:8]}")


def main():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], stdout=subprocess.PIPE, check=True)
    paths = [path for path in listed.stdout.decode().split("\0") if path and os.path.isfile(path)]
    with transient_settings(SETTINGS):
        finds_what_it_looks_for()
        found = [(path, number, kind) for path in paths for number, kind in findings(path)]
    for path, number, kind in found:
        print(f"{path}:{number}: {kind}")
    if found:
        print(f"secrets: {len(found)} lines look like a secret; take it out and change it, or say `pragma: allowlist secret` where it is none")
        return 1
    print(f"secrets: none in {len(paths)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
