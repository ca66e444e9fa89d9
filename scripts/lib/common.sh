# Shared by the scripts: where tools and builds live, and how to say what happens.

SISE_CACHE=${SISE_CACHE:-$HOME/.cache/sise}
SISE_TOOLS=${SISE_TOOLS:-$SISE_CACHE/tools}
export SISE_TOOLS

say() { printf '\n== %s\n' "$*" >&2; }

# One target folder for all clones, so that a second clone builds quickly. Cargo tells fresh from stale by times,
# which says nothing between two clones: when another clone built last, our own sources are touched and built again.
use_shared_target() {
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$SISE_CACHE/target}
  mkdir -p "$CARGO_TARGET_DIR"
  local owner="$CARGO_TARGET_DIR/.clone"
  if [ "$(cat "$owner" 2>/dev/null || true)" != "$PWD" ]; then
    find services tests -name '*.rs' -exec touch {} +
    printf '%s' "$PWD" > "$owner"
  fi
}

# Debian packages, as root. Services in them do not start by themselves; a policy that stands there already is kept.
install_debian() {
  [ "$(id -u)" = 0 ] || { echo "Debian packages are missing, and installing them needs root: $*" >&2; return 1; }
  say "installing Debian packages: $*"
  local policy=/usr/sbin/policy-rc.d ours='' status=0
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; ours=yes; fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null || status=$?
  [ -z "$ours" ] || rm -f $policy
  return $status
}

# What scripts/demo and scripts/test need beside a Rust toolchain; says what it installs and where.
install_all() {
  local missing=()
  command -v curl >/dev/null || missing+=(curl)
  command -v python3 >/dev/null || missing+=(python3 python3-pip python3-venv)
  command -v npm >/dev/null || missing+=(npm)
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  [ ${#missing[@]} = 0 ] || install_debian "${missing[@]}"
  command -v cargo >/dev/null || { echo "cargo (Rust 1.95 or newer) is needed: install it with rustup" >&2; return 1; }
  ensure_nats_server
  ensure_libchdb
}
