#!/usr/bin/env bash
# May something be deployed here, now? Every way to deploy asks this first.
#
#   scripts/preflight_check.sh [--force REASON] [options of `market-guard check`]
#
# Exit code 0: yes. 1: a market is open, about to be, or may be (the calendar ends). 2: it cannot be said (no image, a wrong option).
# 3: markets are quiet, but something here is not as it must be: disk, tables, streams, lag. --force overrules 1 and is
# written to var/market-guard.jsonl; nothing overrules 3 but mending it.
#
#   SISE_PREFLIGHT_FREE     percent of each disk that must be free (15)
#   SISE_PREFLIGHT_FOLDERS  folders whose disks count, parted by blanks (Docker's own folder; var without Docker)
#   SISE_PREFLIGHT_LAG      most messages that may wait to be archived, over all streams (10000)
#   SISE_NATS_MONITOR       where nats-server tells its state (http://127.0.0.1:8222)
#   SISE_DEPLOY             compose or bare: scripts/lib/deploy.sh
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/deploy.sh

failed=0
good() { printf 'ok    %s\n' "$*"; }
bad() { printf 'FAIL  %s\n' "$*"; failed=1; }

mode=$(deploy_mode) || exit 2
[ "$mode" = bare ] || find_compose

# The guard first: in market hours nothing else matters.
check_guard() {
  if [ "$mode" = bare ]; then market-guard check "$@"; return; fi
  # The override is written down on this machine, not in a container that is gone a moment later.
  mkdir -p var
  "${compose[@]}" run --rm -T --no-deps --user "$(id -u):$(id -g)" -v "$PWD/var:/overrides" \
    -e SISE__MARKET_GUARD__LOG=/overrides/market-guard.jsonl migrate market-guard check "$@" </dev/null
}

check_disks() {
  local folders=${SISE_PREFLIGHT_FOLDERS:-} least=${SISE_PREFLIGHT_FREE:-15} folder used
  if [ -z "$folders" ]; then
    folders=var
    [ "$mode" = bare ] || folders=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)
  fi
  for folder in $folders; do
    if ! used=$(df -P "$folder" 2>/dev/null | awk 'NR == 2 { sub("%", "", $5); print $5 }') || [ -z "$used" ]; then
      bad "disk: $folder cannot be looked at"
    elif [ $((100 - used)) -lt "$least" ]; then
      bad "disk of $folder: $((100 - used)) % free, at least $least % must be"
    else
      good "disk of $folder: $((100 - used)) % free"
    fi
  done
}

# What a new version brings with it (pending tables, other streams) is the deployment's work; what cannot be asked, or is newer
# than this version, is a reason not to begin: sise tells it on standard error.
check_with_sise() {
  local what=$1 service=$2 said complaints; shift 2
  complaints=$(mktemp)
  said=$(sise_run "$service" sise "$@" 2>"$complaints")
  case $? in
    0) good "$what: as this version needs" ;;
    1) if grep -q '^sise: ' "$complaints" || [ -z "$said" ]; then bad "$what: $(tail -n 3 "$complaints" | tr '\n' ' ')"
       else good "$what: to be changed by the deployment:"; printf '%s\n' "$said" | grep -v unchanged | sed 's/^/        /'; fi ;;
    *) bad "$what: $(tail -n 3 "$complaints" | tr '\n' ' ')" ;;
  esac
  rm -f "$complaints"
}

# Messages that no archiver has confirmed yet. Before a restart there should be few: they are safe, but come later.
check_lag() {
  local most=${SISE_PREFLIGHT_LAG:-10000} monitor=${SISE_NATS_MONITOR:-http://127.0.0.1:8222} lag
  lag=$(curl -sf -m 10 "$monitor/jsz?streams=true&consumers=true" | python3 -c '
import json, sys
accounts = json.load(sys.stdin).get("account_details", [])
streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
readers = [c for s in streams for c in s.get("consumer_detail") or [] if c["name"] == "archiver"]
if not readers: sys.exit(1)
print(sum(c["num_pending"] + c["num_ack_pending"] for c in readers))' 2>/dev/null)
  if [ -z "$lag" ]; then
    bad "lag: $monitor tells nothing of the archiver's durables"
  elif [ "$lag" -gt "$most" ]; then
    bad "lag: $lag messages wait to be archived, at most $most may"
  else
    good "lag: $lag messages wait to be archived"
  fi
}

check_guard "$@"
code=$?
if [ $code -ne 0 ]; then
  [ $code -eq 1 ] || code=2
  echo "preflight: no deployment now"
  exit $code
fi
check_disks
check_with_sise "tables" migrate migrate --check
check_with_sise "streams" streams streams diff
check_lag
if [ $failed -ne 0 ]; then echo "preflight: mend this first"; exit 3; fi
echo "preflight: go"
