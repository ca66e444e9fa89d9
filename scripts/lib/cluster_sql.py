"""Writes the tables of clickhouse/*.sql for a cluster of ClickHouse, a file for each: python3 scripts/lib/cluster_sql.py FOLDER

Every table becomes two: <name>_local, replicated within a shard, and <name>, the distributed one with the name that programs and
views use. So the views and the queries are the same on one server and on a cluster. Rows of one instrument's day stay on one
shard, for a repeated print collapses only with its neighbours in one table.
"""

import re
import sys
from pathlib import Path

SOURCE = Path("clickhouse")
# What decides the shard. The ledger and the statuses are small and asked as a whole: by stream and by day.
SHARD_BY = {
    "trades": "cityHash64(market, symbol, trade_date)",
    "order_books": "cityHash64(market, symbol, trade_date)",
    "feed_status": "cityHash64(market, trade_date)",
    "archived": "cityHash64(stream)",
    "migrations": "cityHash64(number)",
}
HEAD = "-- Written by scripts/lib/cluster_sql.py from clickhouse/{name}; docs/cluster.md says how it is applied.\n"
ON = " ON CLUSTER '{cluster}'"


def table(name, sql):
    """CREATE TABLE for one server -> the replicated table and the distributed one."""
    match = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)\n", sql)
    of = match[1]
    local = sql.replace(match[0], f"CREATE TABLE IF NOT EXISTS {of}_local{ON}\n")
    engine = re.search(r"ENGINE = ((?:Replacing)?MergeTree)\b", local)
    replicated = f"ENGINE = Replicated{engine[1]}('/clickhouse/tables/{{shard}}/{{database}}/{of}', '{{replica}}')"
    local = local.replace(engine[0], replicated)
    # Insert tokens are kept by the cluster's Keeper; a week is longer than a stream holds what may come again.
    local = local.replace("SETTINGS non_replicated_deduplication_window = 10000",
                          "SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800")
    distributed = (f"CREATE TABLE IF NOT EXISTS {of}{ON} AS {of}_local\n"
                   f"ENGINE = Distributed('{{cluster}}', currentDatabase(), '{of}_local', {SHARD_BY[of]})\n")
    return local.rstrip() + ";\n\n" + distributed


def alter(name, sql):
    match = re.search(r"ALTER TABLE (\w+)\n", sql)
    both = [sql.replace(match[0], f"ALTER TABLE {match[1]}{suffix}{ON}\n").rstrip() for suffix in ("_local", "")]
    # Comments of columns stand on the first alone.
    return both[0] + ";\n\n" + re.sub(r"^--.*\n", "", both[1], flags=re.M) + "\n"


def view(name, sql):
    return re.sub(r"^(CREATE OR REPLACE VIEW \w+)", lambda found: found[1] + ON, sql, flags=re.M)


def write(path):
    sql = path.read_text()
    statement = re.search(r"^(CREATE TABLE|CREATE OR REPLACE VIEW|ALTER TABLE|DROP)", sql, flags=re.M)
    kind = {"CREATE TABLE": table, "ALTER TABLE": alter}.get(statement[1], view)
    return HEAD.replace("{name}", path.name) + kind(path.name, sql)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(SOURCE.glob("*.sql"))
    for path in files:
        (target / path.name).write_text(write(path))
    print(f"{len(files)} files in {target}")


main()
