# shellcheck shell=bash
# ensure_bench: what scripts/bench sets beside sise: redis-server from Debian and the Python packages of bench_python.txt. To be
# sourced after common.sh, in the root of the repository.
#
# Sets and exports SISE_BENCH_PYTHON, the interpreter that has the packages. Kept as it is when it is set already.

ensure_bench() {
  command -v redis-server >/dev/null || install_debian redis-server || return 1
  [ -z "${SISE_BENCH_PYTHON:-}" ] || { export SISE_BENCH_PYTHON; return 0; }
  local list=scripts/lib/bench_python.txt folder part
  # The checksum of the lock file is part of the name: another lock is another environment.
  folder=$SISE_TOOLS/bench-$(sha256sum "$list" | cut -c1-12) || return 1
  if [ ! -d "$folder" ]; then
    echo "installing $(grep -v '^#' scripts/lib/bench_python.in | tr '\n' ' ')(Python packages) into $folder" >&2
    # A folder that gets its name when it is complete: an interrupted installation is never taken for a whole one.
    mkdir -p "$SISE_TOOLS" && part=$(mktemp -d "$folder.XXXXXX") || return 1
    if ! python3 -m venv "$part" || ! "$part/bin/python" -m pip install --quiet --disable-pip-version-check \
      --require-hashes --no-deps --only-binary :all: -r "$list" >&2; then
      rm -rf "$part"
      echo "cannot install $list: pip has to reach a package index" >&2
      return 1
    fi
    chmod 755 "$part"
    mv -T "$part" "$folder" 2>/dev/null || rm -rf "$part"
  fi
  export SISE_BENCH_PYTHON=$folder/bin/python
}
