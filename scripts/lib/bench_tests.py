#!/usr/bin/env python3
"""Tests of what scripts/bench does with figures, and of the baseline's own counts."""

import contextlib
import io
import os
import tempfile
import types
import unittest
import xml.dom.minidom

import bench
import bench_baseline
import bench_chart
import bench_collector_parse as collector
import bench_parts
import bench_report as report

KEPT = {"bench": "parse", "name": "kis_trade", "value": 312.4, "unit": "ns/record", "ratio": 3.124, "beside": "bare split, 100 ns/record",
        "limit": {"at_most": 4.0}}
MISSED = {"bench": "publish", "name": "trades", "value": 15300.0, "unit": "events/s", "ratio": 0.85, "beside": "bare <loop>",
          "limit": {"at_least": 0.9}}
ALONE = {"bench": "footprint", "name": "archiver", "value": 41.2, "unit": "MB", "limit": {"at_most": 64.0}}
PLAIN = {"bench": "baseline", "name": "full_speed", "value": 6500.0, "unit": "rows/s"}


class Lines(unittest.TestCase):
    def test_columns_stand_below_each_other(self):
        self.assertEqual(report.lines([KEPT, MISSED, ALONE, PLAIN], head=True), [
            "name                                                 value  unit                 ratio  limit",
            "parse/kis_trade                                        312  ns/record             3.12  <= 4",
            "publish/trades                                       15300  events/s              0.85  >= 0.9      missed",
            "footprint/archiver                                    41.2  MB                       -  <= 64",
            "baseline/full_speed                                   6500  rows/s                   -  -",
        ])

    def test_a_bar_is_of_the_ratio_or_else_of_the_value(self):
        self.assertEqual([report.kept(one) for one in (KEPT, MISSED, ALONE, PLAIN)], [True, False, True, None])
        self.assertFalse(report.kept(ALONE | {"value": 64.1}))
        self.assertTrue(report.kept(MISSED | {"ratio": 0.9}))

    def test_what_is_no_number_keeps_no_bar(self):
        broken = KEPT | {"ratio": None}
        self.assertFalse(report.kept(broken))
        self.assertEqual(report.cells(broken)[3:], ("nan", "<= 4", "missed"))

    def test_numbers_have_the_digits_that_say_something(self):
        self.assertEqual([report.number(one) for one in (15300.4, 99.94, 4.126, 0.08714, 0.0, 7.0, float("nan"))],
                         ["15300", "99.9", "4.13", "0.0871", "0", "7", "nan"])

    def test_what_is_no_measure_is_told(self):
        good = '{"bench":"a","name":"b","value":1.5,"unit":"s"}'
        self.assertEqual(report.read(f"{good}\n\n"), [{"bench": "a", "name": "b", "value": 1.5, "unit": "s"}])
        for line in ("not json", "[]", '{"bench":"a"}', good.replace("1.5", "null"), good[:-1] + ',"limit":{"near":1}}'):
            with self.assertRaises(ValueError, msg=line):
                report.read(f"{good}\n{line}")


class Chart(unittest.TestCase):
    RESULT = {"date": "2026-11-26 00:00 UTC", "machine": {"processor": "P", "cores": 2, "memory_gb": 23.5, "kernel": "K"},
              "versions": {"rustc": "1.95.0"}, "settings": {"names": "parse", "smoke": False, "debug": False}, "failed": ["growth"],
              "measures": [KEPT, MISSED, ALONE, PLAIN]}

    def test_a_bar_goes_from_nothing_to_twice_the_limit(self):
        self.assertAlmostEqual(bench_chart.share(KEPT), 0.781)
        self.assertEqual(bench_chart.share(KEPT | {"ratio": 40.0}), 2.0)
        self.assertIsNone(bench_chart.share(KEPT | {"ratio": None}))

    def test_the_image_is_well_formed_and_has_a_bar_for_each_judged_figure(self):
        image = xml.dom.minidom.parseString(bench_chart.bars(self.RESULT["measures"]))
        classes = [rect.getAttribute("class") for rect in image.getElementsByTagName("rect")]
        self.assertEqual(classes, ["track", "kept", "track", "missed", "track", "kept"])

    def test_the_page_says_everything_and_needs_nothing_else(self):
        page = bench_chart.page(self.RESULT)
        for text in ("2 of 3 kept", "Failed: growth", "baseline/full_speed", "bare &lt;loop&gt;", "1.95.0", "prefers-color-scheme: dark"):
            self.assertIn(text, page)
        for text in ("http", "src=", "@import", "<script", "bare <loop>"):
            self.assertNotIn(text, page)

    def test_a_run_without_figures_has_a_page_too(self):
        self.assertIn("Nothing was judged", bench_chart.page(self.RESULT | {"measures": []}))


class Run(unittest.TestCase):
    def setUp(self):
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            self.enterContext(redirect(io.StringIO()))

    def options(self, folder):
        return types.SimpleNamespace(folder=folder, binaries=folder, smoke=True, debug=True)

    def program(self, folder, text):
        path = os.path.join(folder, "bench")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def test_a_benchmark_that_fails_is_named_and_the_others_run(self):
        with tempfile.TemporaryDirectory() as folder:
            self.program(folder, 'case $1 in parse) exit 3;; encode) echo nonsense;; journal) ;;\n'
                                 '*) echo "{\\"bench\\":\\"$1\\",\\"name\\":\\"x\\",\\"value\\":1,\\"unit\\":\\"s\\"}";; esac')
            measures, failed = bench.all_of(["parse", "encode", "journal", "path"], self.options(folder))
            self.assertEqual(failed, ["parse", "encode", "journal"])
            self.assertEqual([report.full_name(one) for one in measures], ["path/x"])
            kept = bench.keep(self.options(folder), ["path"], measures, failed)
            self.assertEqual(kept["failed"], failed)
            self.assertTrue({"bench.json", "bench.html"} <= set(os.listdir(folder)))

    def test_a_program_that_is_not_there_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(bench.all_of(["parse"], self.options(folder)), ([], ["parse"]))

    def test_a_smoke_run_judges_nothing(self):
        self.assertEqual([report.kept(one) for one in bench.not_judged([KEPT, MISSED, PLAIN])], [None, None, None])
        self.assertIs(report.kept(MISSED), False)

    def test_figures_before_a_wrong_count_are_kept_and_it_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            self.program(folder, 'echo "{\\"bench\\":\\"path\\",\\"name\\":\\"x\\",\\"value\\":1,\\"unit\\":\\"s\\"}"; exit 1')
            measures, failed = bench.all_of(["path"], self.options(folder))
            self.assertEqual((len(measures), failed), (1, ["path"]))


class Baseline(unittest.TestCase):
    SENDER, COLLECTOR = {"sent": 10}, {"frames": 10, "events": 12, "first_ns": 10**9, "last_ns": 2 * 10**9, "cpu_seconds": 1.0,
                                       "peak_mb": 30.0}
    SUBSCRIBER = {"rows": 9, "events": 9, "marks": [[8, 3 * 10**9], [9, 4 * 10**9]], "faults": [], "cpu_seconds": 0.5, "peak_mb": 50.0}

    def test_what_was_published_and_is_no_row_is_lost(self):
        run = bench_baseline.outcome(10, self.SENDER, self.COLLECTOR, self.SUBSCRIBER, 9, 0.3, 1)
        self.assertEqual((run["lost"], run["rate"], run["behind"], run["peak_mb"]), (3, 4.0, 2.0, 50.0))
        self.assertAlmostEqual(run["cpu"], 200_000.0)
        one = bench_baseline.outcome(10, self.SENDER, self.COLLECTOR, self.SUBSCRIBER | {"marks": [[9, 4 * 10**9]]}, 9, 0.3, 1)
        self.assertEqual(one["rate"], 3.0)

    def test_wrong_counts_are_an_error(self):
        for sender, collector, subscriber, rows in (
            ({"sent": 9}, self.COLLECTOR, self.SUBSCRIBER, 9), (self.SENDER, self.COLLECTOR | {"frames": 9}, self.SUBSCRIBER, 9),
            (self.SENDER, self.COLLECTOR, self.SUBSCRIBER, 8), (self.SENDER, self.COLLECTOR, self.SUBSCRIBER | {"rows": 13, "events": 13}, 13),
            (self.SENDER, self.COLLECTOR, self.SUBSCRIBER | {"rows": 0, "events": 0}, 0),
            (self.SENDER, self.COLLECTOR, self.SUBSCRIBER | {"events": 10}, 9),
        ):
            with self.assertRaises(RuntimeError):
                bench_baseline.outcome(10, sender, collector, subscriber, rows, 0.3, 1)

    def test_only_redis_may_lose_events(self):
        with self.assertRaises(RuntimeError):
            bench_baseline.outcome(10, self.SENDER, self.COLLECTOR, self.SUBSCRIBER, 9, 0.3, 0)

    def test_the_headline_is_the_path_by_the_baseline_as_it_is_written(self):
        found = [PLAIN, PLAIN | {"name": "pipelined", "value": 13000.0}]
        path = [{"bench": "path", "name": "rows", "value": 52000.0, "unit": "rows/s"}]
        over = bench_baseline.against_path(path, found)
        self.assertEqual([(one["name"], one["ratio"], one.get("limit")) for one in over],
                         [("over_baseline", 8.0, {"at_least": 10.0}), ("over_pipelined", 4.0, None)])
        self.assertEqual(bench_baseline.against_path([], found), [])

    def test_ports_differ(self):
        self.assertEqual(len(set(bench_parts.free_ports(5))), 5)


class Collector(unittest.TestCase):
    TRADE = ["005930", "093001", "71900", "5", "-100", "-0.14", "72023.83", "72100", "72400", "71700", "71900", "71800", "37", "3052507",
             "219853241700", "5105", "6937", "1832", "84.90", "1366314", "1159996", "1", "0.39", "20.28", "090020", "5", "-200", "090820",
             "5", "-500", "092619", "2", "200", "20251126", "20", "N", "65945", "216924", "1118750", "2199206", "0.05", "2424142",
             "125.92", "0", "", "72100"]

    def test_every_record_of_a_frame_is_an_event(self):
        second = self.TRADE[:12] + ["3", "3052510"] + self.TRADE[14:]
        found = collector.events("0|H0STCNT0|002|" + "^".join(self.TRADE + second))
        self.assertEqual([channel for channel, _ in found], ["ticker.kr.kis"] * 2)
        first, last = (event for _, event in found)
        self.assertEqual((first["time"], first["price"], first["volume"], first["side"], first["halted"]),
                         (1_764_117_001, 71900, 37, "1", False))
        self.assertEqual((last["volume"], last["cumulative_volume"]), (3, 3052510))

    def test_a_book_has_ten_levels_a_side(self):
        fields = ["005930", "093730", "0", *map(str, range(1, 43)), *"000000", "5", "-100.00", "918", "1", "2", "0", "0", "0"]
        (channel, event), = collector.events("0|H0STASP0|001|" + "^".join(fields))
        self.assertEqual(channel, "orderbook.kr.kis")
        self.assertEqual((event["ask_prices"][0], event["bid_prices"][9], event["ask_volumes"][0], event["bid_volumes"][9]), (1, 20, 21, 40))
        self.assertEqual((event["total_ask"], event["total_bid"], event["cumulative_volume"]), (41, 42, 918))

    def test_records_that_do_not_fit_are_refused(self):
        with self.assertRaises(ValueError):
            collector.events("0|H0STCNT0|002|" + "^".join(self.TRADE[:45]))


if __name__ == "__main__":
    unittest.main()
