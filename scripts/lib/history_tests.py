#!/usr/bin/env python3
"""Tests of the judge of scripts/history: a record that is not as it must be is found out."""

import datetime
import unittest

import history

SECOND = 1_795_564_801_000_000_000


def truth(volume, quantity, carried=("kis",), delivered=("kis",), lacks=False):
    return {"symbol": "100000", "tape": "krx", "cumulative_volume": volume, "quantity": quantity, "price": "5000",
            "exchange_ns": SECOND, "aggressor_side": "buy", "carried": list(carried), "delivered": list(delivered),
            "lacks": lacks}


def row(quantity, origin="live", source="kis", side="buy", price="5000"):
    return [source, origin, SECOND, price, quantity, side]


def judged(*trades, told=(), live_only=False):
    comparison, of = history.Comparison(), history.Gaps(("100000", "krx", *gap) for gap in told)
    for trade, found in trades:
        comparison.trade(trade, found, of, live_only)
    return dict(comparison.counts), sorted(comparison.examples), of.judge()


class Judge(unittest.TestCase):
    def test_what_is_right_is_right(self):
        counts, wrong, (false, residues) = judged(
            (truth(10, 10), [row(10)]),
            (truth(15, 5, delivered=()), [row(5, "recovered", "kiwoom", "unspecified")]),
            (truth(18, 3, ("kis", "kiwoom"), ("kis", "kiwoom")), [row(3), row(3, source="kiwoom")]),
            told=[(10, 15, False, 0)])
        self.assertEqual(counts, {"sent": 3, "archived": 3, "recovered": 1})
        self.assertEqual((wrong, false, residues), ([], [], []))

    def test_what_is_wrong_is_named(self):
        lost = (truth(10, 10), [])
        twice = (truth(10, 10), [row(10), row(10)])
        needless = (truth(10, 10), [row(10), row(10, "recovered", "kiwoom")])
        other_price = (truth(10, 10, delivered=()), [row(10, "recovered", price="4999")])
        other_side = (truth(10, 10, delivered=()), [row(10, "recovered", side="sell")])
        missing = (truth(10, 10, delivered=()), [])
        for trade, what in [(lost, "lost"), (twice, "duplicated"), (needless, "recovered although it was there"),
                            (other_price, "wrong"), (other_side, "wrong"), (missing, "missing although a broker has it")]:
            self.assertEqual(judged(trade)[1], [what])

    def test_a_source_that_lacks_a_row_leaves_the_gap_open_with_its_residue(self):
        lacking = (truth(10, 10, delivered=(), lacks=True), [])
        there = (truth(14, 4, delivered=()), [row(4, "recovered", "kiwoom")])
        counts, wrong, (false, residues) = judged(lacking, there, told=[(0, 14, True, 10)])
        self.assertEqual((counts["missing"], wrong, false, residues), (1, [], [], []))
        for told in [(0, 14, True, 14), (0, 14, False, 0)]:
            self.assertEqual(len(judged(lacking, there, told=[told])[2][1]), 1)
        # A gap that goes on as a part of a wider one; and one that is told twice.
        self.assertEqual(judged(lacking, there, told=[(0, 12, False, 0), (0, 14, True, 10)])[2][1], [])
        self.assertEqual(len(judged(lacking, there, told=[(0, 12, True, 10), (0, 14, True, 10)])[2][1]), 1)

    def test_a_gap_of_off_hours_volume_or_of_trades_that_all_delivered_is_false(self):
        trades = [(truth(10, 10), [row(10)]), (truth(30, 5), [row(5)])]
        self.assertEqual(len(judged(*trades, told=[(10, 25, True, 15)])[2][0]), 1)
        both = ("kis", "kiwoom")
        seen_by_one = [(truth(10, 10), [row(10)]), (truth(15, 5, both, ("kiwoom",)), [row(5, source="kiwoom")])]
        self.assertEqual(judged(*seen_by_one, told=[(10, 15, False, 0)])[2], ([], []))

    def test_the_day_that_has_ended_is_today_until_the_next_one_begins(self):
        at = lambda *parts: datetime.datetime(*parts, tzinfo=history.KST)
        self.assertEqual(history.dates(None, at(2026, 11, 25, 20, 6)), "20261125 20261125 20261124")
        self.assertEqual(history.dates(None, at(2026, 11, 26, 3)), "20261125 20261125 20261124")
        self.assertEqual(history.dates(None, at(2026, 11, 26, 12)), "20261125 20261126 20261124")
        self.assertEqual(history.dates(None, at(2026, 11, 29, 12)), "20261127 20261127 20261126")
        self.assertEqual(history.dates("20261119", at(2026, 11, 26, 3)), "20261119 20261118")
        self.assertEqual(history.dates("20261124", at(2026, 11, 26, 3)), "20261125 20261123")


if __name__ == "__main__":
    unittest.main()
