"""The lock files pin everything, and the comparison with the tape finds what it is for."""

import json
import re
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path

import tape

HERE = Path(__file__).parent
PINNED = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*( \\)?")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def lines(path):
    """Lines that are no comment."""
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


class Pins(unittest.TestCase):
    def test_every_package_has_one_version_and_hashes(self):
        locks = sorted(HERE.glob("*.txt"))
        self.assertEqual([lock.name for lock in locks], ["kis.txt", "kiwoom.txt"])
        for lock in locks:
            before = None
            for line in lines(lock):
                if PINNED.fullmatch(line):
                    self.assertTrue(line.endswith("\\"), f"{lock.name}: {line} has no hash")
                else:
                    self.assertRegex(line, HASH, lock.name)
                    self.assertTrue(before and before.endswith("\\"), f"{lock.name}: {line}")
                before = line

    def test_what_is_asked_for_is_what_is_locked(self):
        for asked in HERE.glob("*.in"):
            locked = {line.removesuffix(" \\") for line in lines(asked.with_suffix(".txt"))}
            for line in lines(asked):
                self.assertRegex(line, PINNED)
                self.assertIn(line, locked)


def trade(number):
    return tape.Trade(number * 1_000_000_000, Decimal("70000"), number, 100 + number)


class Comparison(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8")
        self.addCleanup(self.file.close)
        for number in range(1, 6):
            self.write(number)

    def write(self, number, source="kis"):
        line = {"kind": "trade", "source": source, "tape": "krx", "symbol": "005930"}
        values = {"price": "70000", "quantity": number, "cumulative_volume": 100 + number}
        self.file.write(json.dumps(line | values | {"exchange_ns": number * 1_000_000_000}) + "\n")
        self.file.flush()

    def compare(self, *numbers):
        received = {("trade", "krx", "005930"): [trade(number) for number in numbers]}
        tape.compare(received, self.file.name, "kis", seconds=0)

    def test_one_piece_of_the_tape_is_right(self):
        self.compare(2, 3, 4)
        self.write(9, source="kiwoom")
        self.file.write('{"half of a line')
        self.file.flush()
        self.compare(1, 2, 3, 4, 5)

    def test_a_gap_another_order_a_double_and_another_value_are_not(self):
        for numbers in ((1, 2, 4), (2, 1), (1, 1, 2), (6,)):
            with self.assertRaises(tape.Mismatch, msg=numbers):
                self.compare(*numbers)

    def test_the_first_wrong_event_is_told(self):
        with self.assertRaisesRegex(tape.Mismatch, "kis trade krx 005930: .*quantity=6.* was never sent"):
            self.compare(5, 6)

    def test_a_book_keeps_levels_with_a_price(self):
        line = {"kind": "order_book", "tape": "nxt", "symbol": "000660", "exchange_ns": 7}
        key, book = tape.event_of(line | {"asks": [["0", 5], ["70100", 12]], "bids": []})
        self.assertEqual(key, ("order_book", "nxt", "000660"))
        self.assertEqual(book, tape.Book(7, ((Decimal("70100"), 12),), ()))


if __name__ == "__main__":
    unittest.main()
