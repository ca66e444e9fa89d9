# shellcheck shell=bash
# Programs of sise where they run: in containers where compose.yaml runs them (the rule), else on this machine. To be sourced.
#
# SISE_DEPLOY is `compose` or `bare`; without it, `compose` where a Compose client is. What Compose is told else (profiles,
# --env-file) stands in COMPOSE_ARGUMENTS, words parted by blanks.

compose=()

find_compose() {
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    return 1
  fi
  # shellcheck disable=SC2206 # words, as the variable says
  compose+=(${COMPOSE_ARGUMENTS:-})
}

deploy_mode() {
  case "${SISE_DEPLOY:-}" in
    bare) echo bare ;;
    compose) find_compose && echo compose || { echo "no Compose client here" >&2; return 1; } ;;
    "") if find_compose; then echo compose; else echo bare; fi ;;
    *) echo "SISE_DEPLOY is compose or bare, not '$SISE_DEPLOY'" >&2; return 1 ;;
  esac
}

# Runs a program of sise with the rights of one of compose.yaml's short-lived services, or as it stands in PATH:
# sise_run SERVICE PROGRAM ARGUMENTS…
sise_run() {
  local service=$1; shift
  if [ "$mode" = compose ]; then
    "${compose[@]}" run --rm -T --no-deps "$service" "$@" </dev/null
  else
    "$@"
  fi
}
