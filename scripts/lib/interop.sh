# shellcheck shell=bash
# Independent client libraries against the simulated broker: what tests/interop needs, and its run. To be sourced after
# common.sh, in the root of the repository.

interop_clients=(kis kiwoom)

# The folder of a client's Python environment; it carries the checksum of the lock file, so that another lock is another
# environment.
interop_folder() {
  echo "$SISE_TOOLS/interop-$1-$(sha256sum "tests/interop/$1.txt" | cut -c1-12)"
}

# Makes the environments of all clients where they are missing, from the lock files and nothing else.
ensure_interop() {
  local client folder part
  for client in "${interop_clients[@]}"; do
    folder=$(interop_folder "$client") || return 1
    [ -d "$folder" ] && continue
    echo "installing $(grep -v '^#' "tests/interop/$client.in") (Python package) into $folder" >&2
    # A folder that gets its name when it is complete: an interrupted installation is never taken for a whole one.
    mkdir -p "$SISE_TOOLS" && part=$(mktemp -d "$folder.XXXXXX") || return 1
    if ! python3 -m venv "$part" || ! "$part/bin/python" -m pip install --quiet --disable-pip-version-check \
      --require-hashes --no-deps --only-binary :all: -r "tests/interop/$client.txt" >&2; then
      rm -rf "$part"
      echo "cannot install tests/interop/$client.txt: pip has to reach a package index" >&2
      return 1
    fi
    chmod 755 "$part"
    mv -T "$part" "$folder" 2>/dev/null || rm -rf "$part"
  done
}

# Starts the simulated broker: start_interop_simulator LAYOUT_OF_KIS SECONDS_WITHOUT_PONG
start_interop_simulator() {
  export SISE__SIMULATOR__LAYOUT=$1 SISE__SIMULATOR__TAPE=$run/tape-$1.jsonl SISE__SIMULATOR__PONG_LIMIT_SECONDS=$2
  start_part simulator "$profile/simulator" --config "$run/empty.toml"
  wait_until 20 "the simulated broker answers" control "http://127.0.0.1:$base/control/status"
}

# Runs a client: interop_client SCRIPT ENVIRONMENT KEY SECRET FIRST_PORT LAYOUT
interop_client() {
  # The clients take local time for Korea's; what they keep on disk goes with the folder.
  TZ=KST-9 HOME=$run XDG_CACHE_HOME=$run APP_KEY=$3 APP_SECRET=$4 timeout 180 \
    "$(interop_folder "$2")/bin/python" "tests/interop/$1.py" \
    "http://127.0.0.1:$5" "ws://127.0.0.1:$(($5 + 1))" "$run/tape-$6.jsonl"
}

# Runs every client against the simulated broker: run_interop FOLDER_OF_BINARIES FIRST_PORT (four in a row). Prints a
# line for each client; anything missing or different is an error.
run_interop() (
  # Not `set -e`: it says nothing where the caller asks for the outcome.
  set -u
  profile=$1 base=$2
  # shellcheck source=scripts/lib/stack.sh
  . scripts/lib/stack.sh
  run=$(mktemp -d) && mkdir "$run/log" || exit 1
  trap 'stop_part simulator; rm -rf "$run"' EXIT
  export PYTHONDONTWRITEBYTECODE=1
  python3 -m unittest discover --quiet --start-directory tests/interop || exit 1

  key() { python3 -c 'import secrets, sys; print(secrets.token_hex(99)[:int(sys.argv[1])])' "$1"; }
  local kis_key kis_secret kiwoom_key kiwoom_secret
  # python-kis accepts keys of these lengths only.
  kis_key=$(key 36) kis_secret=$(key 180) kiwoom_key=$(key 43) kiwoom_secret=$(key 43)
  : >"$run/empty.toml"
  local kiwoom=$((base + 2))
  export SISE__SIMULATOR__REST_ADDRESS=127.0.0.1:$base SISE__SIMULATOR__WEBSOCKET_ADDRESS=127.0.0.1:$((base + 1))
  export SISE__SIMULATOR__KIWOOM_REST_ADDRESS=127.0.0.1:$kiwoom SISE__SIMULATOR__KIWOOM_WEBSOCKET_ADDRESS=127.0.0.1:$((kiwoom + 1))
  export SISE__SIMULATOR__KEYS__MAIN__APP_KEY=$kis_key SISE__SIMULATOR__KEYS__MAIN__APP_SECRET=$kis_secret
  export SISE__SIMULATOR__KIWOOM_KEYS__MAIN__APP_KEY=$kiwoom_key SISE__SIMULATOR__KIWOOM_KEYS__MAIN__APP_SECRET=$kiwoom_secret
  export SISE__SIMULATOR__RATE=500
  # Often, so that every client has to answer several while it runs.
  export SISE__SIMULATOR__PING_SECONDS=1
  export SISE__SIMULATOR__KIWOOM_PING_SECONDS=1 SISE__SIMULATOR__KIWOOM_PONG_LIMIT_SECONDS=5

  start_interop_simulator 2026 5 || exit 1
  interop_client kis kis "$kis_key" "$kis_secret" "$base" 2026 || exit 1
  interop_client kiwoom kiwoom "$kiwoom_key" "$kiwoom_secret" "$kiwoom" 2026 || exit 1
  stop_part simulator
  # python-kis reads nothing while it registers, and that takes it a second each.
  start_interop_simulator 2023 30 || exit 1
  interop_client kis_2023 kis "$kis_key" "$kis_secret" "$base" 2023 || exit 1
)
