# shellcheck shell=bash
# A Docker engine where there is none: Debian's, in a folder of its own, stopped and removed with all that it holds. To be
# sourced after common.sh. Sets `compose`, the client of Compose, and exports DOCKER_HOST for an engine that was started here.

compose=()
engine_pid='' engine_folder=''

# Makes `docker` and `compose` usable. Fails loudly where that is impossible; never leaves it out in silence.
ensure_engine() {
    if ! command -v docker >/dev/null || ! docker info >/dev/null 2>&1; then
        install_engine && start_engine || return 1
    fi
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    else
        command -v docker-compose >/dev/null || install_debian docker-compose || return 1
        compose=(docker-compose)
    fi
    echo "docker engine $(docker version --format '{{.Server.Version}}') with $(docker info --format '{{.Driver}}'), $("${compose[@]}" version --short) of compose" >&2
}

install_engine() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    [[ -x /usr/sbin/iptables || -x /sbin/iptables ]] || missing+=(iptables)
    command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || missing+=(docker-compose)
    [[ ${#missing[@]} == 0 ]] || install_debian "${missing[@]}"
}

# Starts dockerd with what this kernel can do.
start_engine() {
    [[ $(id -u) == 0 ]] || { echo "the Docker engine does not run, and starting one needs root" >&2; return 1; }
    engine_folder=$(mktemp -d /tmp/sise-docker.XXXXXX) || return 1
    local arguments=() path=$PATH
    arguments+=(--storage-driver "$(engine_driver)")
    if iptables -t nat -S >/dev/null 2>&1; then
        :
    elif iptables-legacy -t nat -S >/dev/null 2>&1; then
        mkdir "$engine_folder/bin"
        ln -s "$(command -v iptables-legacy)" "$engine_folder/bin/iptables"
        ln -s "$(command -v ip6tables-legacy)" "$engine_folder/bin/ip6tables"
        path=$engine_folder/bin:$PATH
    else
        # Published ports then go through Docker's proxy alone, which is enough for loopback.
        echo "no iptables on this kernel: starting the engine without" >&2
        arguments+=(--iptables=false --ip-masq=false)
    fi
    PATH=$path dockerd --host "unix://$engine_folder/docker.sock" --data-root "$engine_folder/data" --exec-root "$engine_folder/run" \
        --pidfile "$engine_folder/docker.pid" "${arguments[@]}" >"$engine_folder/log" 2>&1 &
    engine_pid=$!
    export DOCKER_HOST=unix://$engine_folder/docker.sock
    local end=$((SECONDS + 60))
    until docker info >/dev/null 2>&1; do
        if ! kill -0 "$engine_pid" 2>/dev/null || [[ $SECONDS -ge $end ]]; then
            echo "the Docker engine (dockerd ${arguments[*]}) does not start here:" >&2
            tail -n 30 "$engine_folder/log" >&2
            stop_engine
            return 1
        fi
        sleep 0.2
    done
}

# overlay2 where the kernel mounts it on this file system, else whole copies.
engine_driver() {
    local probe=$engine_folder/probe driver=vfs
    mkdir -p "$probe"/{lower,upper,work,merged}
    if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
        umount "$probe/merged" && driver=overlay2
    fi
    rm -rf "$probe"
    echo $driver
}

# Ends the engine that was started here, and what it kept.
stop_engine() {
    [[ -n "$engine_pid" ]] || return 0
    kill -TERM "$engine_pid" 2>/dev/null || true
    local end=$((SECONDS + 40))
    while kill -0 "$engine_pid" 2>/dev/null && [[ $SECONDS -lt $end ]]; do sleep 0.2; done
    kill -KILL "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    engine_pid=''
    # What it left mounted would keep its folder.
    awk -v folder="$engine_folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
        umount "$place" 2>/dev/null || umount -l "$place" || true
    done
    rm -rf "$engine_folder"
}
