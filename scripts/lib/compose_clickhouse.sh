#!/bin/sh
# /usr/bin/clickhouse of the stand-in for ClickHouse's image: the engine without a server, asked as the server is. It reads the
# file of users that compose.yaml gives to the server, hashes and rights.
set -eu
export SISE__CLICKHOUSE_EMBEDDED__LIBRARY=/usr/local/lib/libchdb.so
export SISE__CLICKHOUSE_EMBEDDED__PATH=/var/lib/clickhouse
export SISE__CLICKHOUSE_EMBEDDED__LISTEN=0.0.0.0:8123
export SISE__CLICKHOUSE_EMBEDDED__ALLOW_REMOTE=true
export SISE__CLICKHOUSE_EMBEDDED__USERS_FILE=/etc/clickhouse-server/users.d/sise.xml
exec clickhouse-embedded
