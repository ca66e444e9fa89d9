# shellcheck shell=bash
# ensure_chromium: a real browser for the tests that look at pages, from Debian. To be sourced after common.sh.
#
# Sets and exports SISE_CHROMIUM, the path of the program. Kept as it is when it is set already.

ensure_chromium() {
    if [[ -n "${SISE_CHROMIUM:-}" ]]; then
        [[ -x "$SISE_CHROMIUM" ]] && export SISE_CHROMIUM && return 0
        echo "SISE_CHROMIUM=$SISE_CHROMIUM is not a program" >&2
        return 1
    fi
    if ! command -v chromium >/dev/null; then
        # Korean names need a font of the machine: pages bring none.
        install_debian chromium fonts-noto-cjk || return 1
    fi
    SISE_CHROMIUM=$(command -v chromium) || return 1
    export SISE_CHROMIUM
}
