"""clickhouse-connect against the server whose host and port are given: inserts and reads, each compression, sessions."""

import datetime
import sys

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

host, port = sys.argv[1].split(":")


def connect(**options):
    return clickhouse_connect.get_client(host=host, port=int(port), **options)


client = connect()
client.command("CREATE DATABASE sise")
client.command(
    "CREATE TABLE sise.trades (symbol LowCardinality(String), price Decimal(18, 4), quantity Int64, "
    "time DateTime64(9, 'UTC'), note Nullable(String)) ENGINE = MergeTree ORDER BY quantity"
)
time = datetime.datetime(2025, 11, 25, 0, 0, 1, 123456, tzinfo=datetime.timezone.utc)
columns = ["symbol", "price", "quantity", "time", "note"]
total = 0
for compress in (False, "lz4", "zstd", "gzip"):
    with connect(compress=compress, database="sise") as packed:
        rows = [["005930", "70000.5000", total + n, time, None if n % 2 else "x"] for n in range(5000)]
        packed.insert("trades", rows, column_names=columns)
        total += len(rows)
        read = packed.query("SELECT * FROM trades WHERE quantity >= {q:Int64} ORDER BY quantity", {"q": total - 2})
        assert [row[2] for row in read.result_rows] == [total - 2, total - 1], (compress, read.result_rows)
        assert str(read.result_rows[0][1]) == "70000.5000" and read.result_rows[0][3].microsecond == 123456
        assert read.result_rows[0][0] == "005930" and read.result_rows[1][4] is None
        assert packed.command("SELECT count() FROM trades") == total, compress
    print(compress, total)

with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as stream:
    assert sum(row[0] for block in stream for row in block) == 499999500000
empty = client.query("SELECT * FROM sise.trades WHERE quantity < 0")
assert empty.result_rows == [], empty.result_rows
assert client.raw_insert("sise.trades", columns[:3], insert_block=b"000660,1.5,-7\n", fmt="CSV").written_rows == 1
assert client.raw_query("SELECT price FROM sise.trades WHERE quantity = -7", fmt="CSV") == b"1.5\n"
settings = {"max_threads": 1}
assert client.query("SELECT getSetting('max_threads')", settings=settings).result_rows == [(1,)]
client.command("CREATE TEMPORARY TABLE tt (x Int8)")
client.command("INSERT INTO tt VALUES (5)")
assert client.command("SELECT x FROM tt") == 5
try:
    client.query("SELECT * FROM missing")
    raise SystemExit("no error")
except DatabaseError as error:
    assert "UNKNOWN_TABLE" in str(error), error
try:
    connect(username="nobody", password="x")
    raise SystemExit("no error")
except DatabaseError as error:
    assert "516" in str(error), error
print("ok")
