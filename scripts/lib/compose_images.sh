# shellcheck shell=bash
# Images without a registry: stand-ins for those of others, and the tree of programs that the Dockerfile takes as given. To be
# sourced after common.sh, nats_server.sh, clickhouse_lib.sh and page.sh, in the root of the repository. Sets `docker`, the client.

docker=(docker)
# A client that is newer than its engine may lack the builder that the older one has in itself.
if ! docker buildx version >/dev/null 2>&1 && [[ -x /usr/bin/docker ]]; then docker=(/usr/bin/docker); fi

# The default of an ARG of the Dockerfile, or of a variable of compose.yaml: the name of an image.
image_of() {
    local name
    name=$(sed -n "s/^ARG $1=//p; s/.*\${$1:-\([^}]*\)}.*/\1/p" Dockerfile compose.yaml | head -n 1)
    [[ -n "$name" ]] || { echo "no image is named by $1" >&2; return 1; }
    echo "$name"
}

# Builds a stage of the Dockerfile: build_image STAGE NAME ARGUMENTS…
build_image() {
    local stage=$1 name=$2; shift 2
    local revision
    revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    DOCKER_BUILDKIT=1 "${docker[@]}" build --quiet --target "$stage" --tag "$name" --build-arg "REVISION=$revision" "$@" . >/dev/null
}

# What the Dockerfile's stage `given` copies: every program without its symbols, and the page.
gather_programs() {
    local binaries=$1 folder program
    rm -rf var/image && mkdir -p var/image/usr/local/bin || return 1
    for folder in services/*/; do
        program=$(basename "$folder")
        case $program in lib | clickhouse-embedded) continue ;; esac
        [[ -x "$binaries/$program" ]] || { echo "$binaries/$program is not there: build it" >&2; return 1; }
        strip_to "$binaries/$program" "var/image/usr/local/bin/$program" || return 1
    done
    # shellcheck disable=SC2154 # page.sh says where the page is.
    cp -r "$page_folder/dist" var/image/usr/local/bin/page || return 1
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt var/image/etc/ssl/certs/ca-certificates.crt
}

# A copy without symbols, where there is a `strip`: an image is several times smaller.
strip_to() {
    if command -v strip >/dev/null; then strip -o "$2" "$1"; else cp "$1" "$2"; fi
}

# Makes an image of a folder under a name: import_image FOLDER NAME CHANGES…
import_image() {
    local folder=$1 name=$2 change changes=(); shift 2
    for change in "$@"; do changes+=(--change "$change"); done
    tar --numeric-owner --owner=0 --group=0 -C "$folder" -c . | "${docker[@]}" import "${changes[@]}" - "$name" >/dev/null
    echo "made $name" >&2
}

# A root with a static busybox for sh and wget, and the C library for programs that are not linked statically.
base_root() {
    local root=$1 parts library
    parts=$(mktemp -d) || return 1
    if [[ -x /bin/busybox ]]; then
        cp /bin/busybox "$parts/busybox"
    else
        # Debian's package, unpacked beside the machine's own files.
        (cd "$parts" && apt-get download -qq -o APT::Sandbox::User=root busybox-static >&2 && dpkg-deb -x busybox-static_*.deb . && cp bin/busybox busybox) || return 1
    fi
    mkdir -p "$root"/{bin,sbin,etc,tmp,proc,sys,dev,lib64,lib/x86_64-linux-gnu,usr/bin,usr/sbin,usr/local/bin,var/lib,var/log,root} || return 1
    chmod 1777 "$root/tmp"
    cp "$parts/busybox" "$root/bin/busybox"
    rm -rf "$parts"
    "$root/bin/busybox" --list | grep -vx busybox | while read -r name; do ln -s busybox "$root/bin/$name"; done
    printf 'root:x:0:0:root:/root:/bin/sh\nsise:x:1000:1000:sise:/tmp:/bin/sh\n' > "$root/etc/passwd"
    printf 'root:x:0:\nsise:x:1000:\n' > "$root/etc/group"
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt" || return 1
    cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
    for library in libc.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2; do
        cp -L "/lib/x86_64-linux-gnu/$library" "$root/lib/x86_64-linux-gnu/" || return 1
    done
}

# The stand-ins that are not there yet: stand_ins FOLDER_OF_BINARIES REPLACE
stand_ins() (
    set -euo pipefail
    binaries=$1 replace=$2
    work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
    base_root "$work/base"
    wanted() { [ "$replace" = yes ] || ! "${docker[@]}" image inspect "$1" >/dev/null 2>&1; }
    path='ENV PATH=/usr/local/bin:/usr/bin:/bin'

    name=$(image_of BASE_IMAGE)
    if wanted "$name"; then import_image "$work/base" "$name" "$path" 'CMD ["sh"]'; fi

    name=$(image_of TOOLS_IMAGE)
    if wanted "$name"; then
        cp -a "$work/base" "$work/tools"
        [ -z "${SISE_NATS_CLI:-}" ] || cp "$SISE_NATS_CLI" "$work/tools/usr/local/bin/nats"
        import_image "$work/tools" "$name" "$path" 'CMD ["sh","-l"]'
    fi

    name=$(image_of NATS_IMAGE)
    if wanted "$name"; then
        cp -a "$work/base" "$work/nats"
        cp "$SISE_NATS_SERVER" "$work/nats/usr/local/bin/nats-server"
        import_image "$work/nats" "$name" "$path" 'CMD ["nats-server"]'
    fi

    name=$(image_of CLICKHOUSE_IMAGE)
    if wanted "$name"; then
        mkdir -p "$work/clickhouse/usr/local/lib"
        cp -a "$work/base/." "$work/clickhouse/"
        mkdir -p "$work/clickhouse/var/lib/clickhouse" "$work/clickhouse/etc/clickhouse-server"/{config.d,users.d}
        strip_to "$binaries/clickhouse-embedded" "$work/clickhouse/usr/local/bin/clickhouse-embedded"
        ln "$SISE__CLICKHOUSE_EMBEDDED__LIBRARY" "$work/clickhouse/usr/local/lib/libchdb.so" 2>/dev/null ||
            cp "$SISE__CLICKHOUSE_EMBEDDED__LIBRARY" "$work/clickhouse/usr/local/lib/libchdb.so"
        install -m 755 scripts/lib/compose_clickhouse.sh "$work/clickhouse/usr/bin/clickhouse"
        import_image "$work/clickhouse" "$name" "$path" 'CMD ["/usr/bin/clickhouse","server"]'
    fi
)
