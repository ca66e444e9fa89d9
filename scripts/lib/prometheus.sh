# shellcheck shell=bash
# ensure_prometheus: a real Prometheus for the tests of the alert rules, from Debian. To be sourced after common.sh.
#
# Sets and exports SISE_PROMETHEUS and SISE_PROMTOOL, the paths of the programs. Kept as they are when they are set already.
# Where Debian has none, says so and sets nothing: the tests that need them say so too.

ensure_prometheus() {
    if [[ -z "${SISE_PROMETHEUS:-}" || -z "${SISE_PROMTOOL:-}" ]]; then
        if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
            # Its service is not started: the tests start their own.
            install_debian prometheus ||
                echo "NO PROMETHEUS: Debian's package cannot be installed, so the alert rules are not tested with a real one" >&2
        fi
        SISE_PROMETHEUS=${SISE_PROMETHEUS:-$(command -v prometheus || true)}
        SISE_PROMTOOL=${SISE_PROMTOOL:-$(command -v promtool || true)}
    fi
    local program
    for program in "$SISE_PROMETHEUS" "$SISE_PROMTOOL"; do
        [[ -z "$program" || -x "$program" ]] || { echo "$program is not a program" >&2; return 1; }
    done
    [[ -z "$SISE_PROMETHEUS" || -z "$SISE_PROMTOOL" ]] || export SISE_PROMETHEUS SISE_PROMTOOL
}
