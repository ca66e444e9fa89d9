# shellcheck shell=bash
# check_dependencies, scan_secrets: what may come in, and what may not get in. To be sourced after common.sh, in the root of the
# repository; both belong to the tier `lint` of scripts/test.

CARGO_DENY_VERSION=0.20.2
DETECT_SECRETS_VERSION=1.5.0

# Licences, bans and sources of all dependencies (deny.toml). Advisories only where their database can be reached:
# SISE_ADVISORIES=yes, as .github/workflows/ci.yml has it.
check_dependencies() {
    local folder="$SISE_TOOLS/cargo-deny-$CARGO_DENY_VERSION" checks=(bans licenses sources)
    if [[ ! -x "$folder/bin/cargo-deny" ]]; then
        echo "building cargo-deny $CARGO_DENY_VERSION (crate) into $folder: some minutes, once" >&2
        # Unoptimised: it reads one lock file.
        CARGO_TARGET_DIR="$folder.build" cargo install --quiet --locked --debug --no-track --version "$CARGO_DENY_VERSION" \
            --root "$folder.part" cargo-deny >&2 || return 1
        rm -rf "$folder" "$folder.build" && mv "$folder.part" "$folder" || return 1
    fi
    [[ "${SISE_ADVISORIES:-}" != yes ]] || checks+=(advisories)
    "$folder/bin/cargo-deny" --locked --log-level error check "${checks[@]}" >&2
}

# Keys, passwords and tokens in tracked files: detect-secrets with the patterns of this house beside its own. A finding that is
# none carries `pragma: allowlist secret` in its line; test values that are named as such are left out by the pattern below.
scan_secrets() {
    local folder="$SISE_TOOLS/detect-secrets-$DETECT_SECRETS_VERSION" found
    if [[ ! -x "$folder/bin/detect-secrets" ]]; then
        echo "installing detect-secrets $DETECT_SECRETS_VERSION (Python package) into $folder" >&2
        rm -rf "$folder" && python3 -m venv "$folder" &&
            "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "detect-secrets==$DETECT_SECRETS_VERSION" >&2 || return 1
    fi
    found=$("$folder/bin/python" scripts/lib/secret_scan.py) || { printf '%s\n' "$found" >&2; return 1; }
    printf '%s\n' "$found" >&2
}
