# shellcheck shell=bash
# Starts and stops the parts of a whole sise on this machine, each in the background with its log in $run/log.
# To be sourced after common.sh. Needs: run (folder), profile (folder of the binaries), base (first port).

declare -A part_pid=()

# Runs a program in the background as a part: start_part NAME PROGRAM ARGUMENTS…
start_part() {
  local name=$1; shift
  "$@" >>"$run/log/$name.log" 2>&1 &
  part_pid[$name]=$!
}

# Ends a part and waits for it: first asked, after 20 s killed.
stop_part() {
  local name=$1 pid=${part_pid[$1]:-}
  [ -n "$pid" ] || return 0
  unset "part_pid[$name]"
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# From the socket inwards, so that each part can hand on what it holds.
stop_all() {
  local name
  for name in gateway gap-finder kis-service us-service kiwoom-service simulator archiver clickhouse nats; do stop_part "$name"; done
}

# Waits until a command succeeds: wait_until SECONDS WHAT COMMAND…
wait_until() {
  local seconds=$1 what=$2; shift 2
  local end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    check_parts || return 1
    if [ $SECONDS -ge $end ]; then echo "gave up after $seconds s: $what (logs: $run/log)" >&2; return 1; fi
    sleep 0.1
  done
}

# A part that ended by itself is an error with the end of its log.
check_parts() {
  local name
  for name in "${!part_pid[@]}"; do
    kill -0 "${part_pid[$name]}" 2>/dev/null && continue
    echo "$name ended by itself:" >&2
    tail -n 5 "$run/log/$name.log" >&2
    return 1
  done
}

sql() { curl -sS --fail-with-body "$clickhouse_url/?database=$database" --data-binary "$1"; }
control() { curl -sS --fail "$@"; }

# Ports, passwords and settings of the parts, all through the environment.
stack_environment() {
  nats_port=$((base + 422)) monitor_port=$((base + 822)) clickhouse_port=$((base + 123))
  rest_port=$base websocket_port=$((base + 1)) kiwoom_rest_port=$((base + 2)) kiwoom_websocket_port=$((base + 3))
  database=${database:-sise_demo}
  clickhouse_url=http://127.0.0.1:$clickhouse_port
  simulator_url=http://127.0.0.1:$rest_port
  local user
  for user in KIS_SERVICE US_SERVICE KIWOOM_SERVICE ARCHIVER GAP_FINDER GATEWAY SISE OBSERVER; do
    export "SISE__NATS__PASSWORDS__$user=p$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  done
  export SISE__NATS__URL=nats://127.0.0.1:$nats_port
  export SISE_NATS_STORE_DIR=$run/nats SISE_NATS_MAX_FILE_STORE=48GB
  export SISE__CLICKHOUSE__URL=$clickhouse_url SISE__CLICKHOUSE__DATABASE=$database
  export SISE__CLICKHOUSE_EMBEDDED__PATH=$run/clickhouse SISE__CLICKHOUSE_EMBEDDED__LISTEN=127.0.0.1:$clickhouse_port
  export SISE__JOURNAL__FOLDER=$run/journal
  export SISE__SIMULATOR__REST_ADDRESS=127.0.0.1:$rest_port SISE__SIMULATOR__WEBSOCKET_ADDRESS=127.0.0.1:$websocket_port
  export SISE__SIMULATOR__TAPE=$run/tape.jsonl SISE__SIMULATOR__RATE=${rate:-2000} SISE__SIMULATOR__SEED=${seed:-1}
  local market
  for market in KR US; do
    export "SISE__SIMULATOR__KEYS__${market}__APP_KEY=simulated-$market" "SISE__SIMULATOR__KEYS__${market}__APP_SECRET=simulated-$market-secret"
    export "SISE__KIS__KEYS__${market}__APP_KEY=simulated-$market" "SISE__KIS__KEYS__${market}__APP_SECRET=simulated-$market-secret"
    export "SISE__KIS__KEYS__${market}__MARKET=${market,,}"
  done
  export SISE__SIMULATOR__KIWOOM_REST_ADDRESS=127.0.0.1:$kiwoom_rest_port
  export SISE__SIMULATOR__KIWOOM_WEBSOCKET_ADDRESS=127.0.0.1:$kiwoom_websocket_port
  export SISE__SIMULATOR__KIWOOM_KEYS__MAIN__APP_KEY=simulated-kiwoom SISE__SIMULATOR__KIWOOM_KEYS__MAIN__APP_SECRET=simulated-kiwoom-secret
  export SISE__KIWOOM__KEYS__MAIN__APP_KEY=simulated-kiwoom SISE__KIWOOM__KEYS__MAIN__APP_SECRET=simulated-kiwoom-secret
  export SISE__KIWOOM__REST_URL=http://127.0.0.1:$kiwoom_rest_port
  export SISE__KIWOOM__WS_URL=ws://127.0.0.1:$kiwoom_websocket_port/api/dostk/websocket
  export SISE__KIWOOM__TOKEN_FOLDER=$run SISE__KIWOOM__DATA_EXPECTED=always
  export SISE__KIS__REST_URL=$simulator_url SISE__KIS__WS_URL=ws://127.0.0.1:$websocket_port/tryitout
  export SISE__KIS__TOKEN_FOLDER=$run SISE__KIS__DATA_EXPECTED=always
}

start_servers() {
  mkdir -p "$run/log" "$run/nats"
  start_part nats "$SISE_NATS_SERVER" -c nats/server.conf -a 127.0.0.1 -p "$nats_port" -m "$monitor_port"
  start_part clickhouse "$profile/clickhouse-embedded"
  wait_until 20 "nats-server answers" curl -sf "http://127.0.0.1:$monitor_port/healthz"
  wait_until 60 "clickhouse-embedded answers" curl -sf "$clickhouse_url/ping"
  "$profile/sise" streams apply >>"$run/log/streams.log"
  "$profile/sise" migrate >>"$run/log/migrate.log"
}

start_services() {
  start_part simulator "$profile/simulator"
  wait_until 20 "the simulated broker answers" control "$simulator_url/control/status"
  start_part archiver "$profile/archiver"
  start_part kis-service "$profile/kis-service"
  start_part us-service "$profile/us-service"
  start_part kiwoom-service "$profile/kiwoom-service"
}
