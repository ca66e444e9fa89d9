# shellcheck shell=bash
# The tier `compose` of scripts/test: the images, and compose.yaml with its profile demo, for real. To be sourced after common.sh,
# nats_server.sh, clickhouse_lib.sh and page.sh, in the root of the repository.

# shellcheck source=scripts/lib/compose_engine.sh
. scripts/lib/compose_engine.sh

# Builds the images of programs that are built already, starts everything, looks, takes it down: run_compose FOLDER_OF_BINARIES
# FIRST_PORT FOLDER. Where Docker does not run it is installed (Debian, as root) and started for the time of the test.
# Nothing of it is left out: a machine on which no engine starts fails.
run_compose() (
    # Not `set -e`: it says nothing where the caller asks for the outcome.
    set -u
    binaries=$1 base=$2 run=$3
    rm -rf "$run"; mkdir -p "$run" || exit 1
    trap stop_engine EXIT
    trap 'exit 130' INT TERM
    ensure_engine || exit 1
    export SISE_COMPOSE="${compose[*]}" COMPOSE_PROJECT_NAME=sise-test COMPOSE_ANSI=never
    export SISE_PORT_NATS=$((base + 22)) SISE_PORT_NATS_MONITOR=$((base + 23)) SISE_PORT_CLICKHOUSE=$((base + 24))
    export SISE_PORT_GATEWAY=$((base + 25)) SISE_PORT_SIMULATOR=$((base + 26))
    export SISE_PORT_PROMETHEUS=$((base + 27)) SISE_PORT_GRAFANA=$((base + 28))
    export SISE_SECRETS_FOLDER=./$run/secrets
    # Where root may not raise this limit (a sandbox), containers may not either.
    if [[ $(ulimit -Hn) != unlimited && $(ulimit -Hn) -lt 262144 ]]; then SISE_OPEN_FILES=$(ulimit -Hn); export SISE_OPEN_FILES; fi
    scripts/secrets init --folder "$run/secrets" || exit 1
    # Every file and profile can be read, the one that cannot run here too.
    "${compose[@]}" --env-file config/demo.env --profile demo --profile observe --profile tools config >"$run/config.yaml" || exit 1
    "${compose[@]}" --env-file .env.example config >/dev/null || exit 1
    scripts/images --local --binaries "$binaries" || exit 1
    python3 scripts/lib/compose_test.py
)
