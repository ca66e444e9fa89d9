# shellcheck shell=bash
# ClickHouse without a server: the library that services/clickhouse-embedded loads, and the Python client that its
# tests speak to it with. To be sourced. Everything goes into $SISE_TOOLS (default: ~/.cache/sise/tools), once.

LIBCHDB_VERSION=26.5.3
CLICKHOUSE_CONNECT_VERSION=1.12.0

# Installs libchdb if it is missing and sets SISE__CLICKHOUSE_EMBEDDED__LIBRARY, unless that is set already.
ensure_libchdb() {
    if [[ -n "${SISE__CLICKHOUSE_EMBEDDED__LIBRARY:-}" ]]; then
        export SISE__CLICKHOUSE_EMBEDDED__LIBRARY
        return 0
    fi
    local machine package folder library
    machine="$(uname -s)-$(uname -m)"
    case "$machine" in
        Linux-x86_64) package=lib-linux-x64-gnu ;;
        *)
            echo "clickhouse-embedded: no libchdb package for $machine; set SISE__CLICKHOUSE_EMBEDDED__LIBRARY" >&2
            return 1
            ;;
    esac
    folder="${SISE_TOOLS:-$HOME/.cache/sise/tools}/libchdb-$LIBCHDB_VERSION"
    library="$folder/node_modules/@chdb/$package/libchdb.so"
    if [[ ! -f "$library" ]]; then
        if ! command -v npm >/dev/null; then
            echo "clickhouse-embedded: npm is needed to install libchdb (or set SISE__CLICKHOUSE_EMBEDDED__LIBRARY)" >&2
            return 1
        fi
        echo "installing libchdb $LIBCHDB_VERSION (npm package @chdb/$package, about 560 MB) into $folder" >&2
        # Into a folder of its own first: an interrupted installation must not be taken for a whole one.
        rm -rf "$folder.part" && mkdir -p "$folder.part" || return 1
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder.part" \
            "@chdb/$package@$LIBCHDB_VERSION" >&2 || return 1
        rm -rf "$folder" && mv "$folder.part" "$folder" || return 1
    fi
    export SISE__CLICKHOUSE_EMBEDDED__LIBRARY="$library"
}

# Makes a Python environment with clickhouse-connect if it is missing and sets SISE_TEST_PYTHON, unless set already.
ensure_python_clickhouse_connect() {
    if [[ -n "${SISE_TEST_PYTHON:-}" ]]; then
        export SISE_TEST_PYTHON
        return 0
    fi
    local folder="${SISE_TOOLS:-$HOME/.cache/sise/tools}/venv" installed
    installed="$("$folder/bin/python" -c 'import importlib.metadata as m; print(m.version("clickhouse-connect"))' \
        2>/dev/null)" || installed=none
    if [[ "$installed" != "$CLICKHOUSE_CONNECT_VERSION" ]]; then
        echo "installing clickhouse-connect $CLICKHOUSE_CONNECT_VERSION (Python package) into $folder" >&2
        [[ -x "$folder/bin/python" ]] || python3 -m venv "$folder" || return 1
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
            "clickhouse-connect==$CLICKHOUSE_CONNECT_VERSION" >&2 || return 1
    fi
    export SISE_TEST_PYTHON="$folder/bin/python"
}
