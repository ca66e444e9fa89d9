#!/usr/bin/env python3
"""The storm's own judgement, tried on small cases: it must find a loss, a duplicate and a gap that nobody told."""

import collections
import os
import struct
import tempfile
import unittest
import zlib

import storm_journal
import storm_judge
import storm_plan

CELL = ("kis", "kr")
#: A record as services/lib/journal/src/record.rs pins it, at offset 48 of segment 3.
PINNED = bytes.fromhex("f5736a72150000000100000000689 22b2413801807000000000000001 5ff886e24138018c82d3874d6be3303"
                       .replace(" ", "")) + b"0|H0STCNT0|001|005930"


def record(number, at, frame):
    """A frame record as the description has it."""
    body = b"frame %d" % frame
    head = b"\xf5sjr" + struct.pack("<IBxxxqQqI", len(body), 1, 1000, frame, 2000 + frame, zlib.crc32(body))
    return head + struct.pack("<I", zlib.crc32(struct.pack("<QQ", number, at) + head)) + body


class Journal(unittest.TestCase):
    def test_a_record_is_read_as_it_is_described(self):
        found = list(storm_journal.records(3, bytes(48) + PINNED))
        self.assertEqual(found, [(48, 113, 1, 1765432100000000000, 7, 1765432101123456789, b"0|H0STCNT0|001|005930")])

    def test_damage_names_the_frames_that_are_gone(self):
        for how, size, bits, want in (("cut", 10, [], [5]), ("cut", 60, [], [4, 5]), ("flip", 100, [0.0], [4])):
            with tempfile.TemporaryDirectory() as folder:
                data = bytes(48)
                for frame in range(1, 6):
                    data += record(1, len(data), frame)
                with open(os.path.join(folder, f"{1:020}.journal"), "wb") as file:
                    file.write(data)
                gone = storm_journal.damage(folder, how, size, bits)
                self.assertEqual([frame for _, frame, _ in gone], want)


class Plan(unittest.TestCase):
    def test_a_seed_names_a_plan(self):
        make = lambda seed: storm_plan.make(seed, 1200, 1, 6, ())  # noqa: E731
        self.assertEqual(make(1), make(1))
        self.assertNotEqual(make(1), make(2))
        for seed in (1, 2, 3):
            kinds = collections.Counter(action["do"] for action in make(seed))
            self.assertGreater(kinds["kill"], 100)
            everything = "kill outage freeze fault poison redeliver tail disk snapshot rollback"
            self.assertEqual(set(kinds), set(everything.split()))

    def test_what_is_left_out_does_not_happen(self):
        plan = storm_plan.make(1, 1200, 1, 6, {"disk", "rollback", "tail"})
        self.assertFalse({"disk", "snapshot", "rollback", "tail"} & {action["do"] for action in plan})


class Judgement(unittest.TestCase):
    """Four frames were sent on a connection from 100 on; the next one was accepted at 900."""

    def judge(self, archived, kept=0, end="lost", gaps=(), damaged=(), following=True):
        first, second = storm_judge.Connection(1), storm_judge.Connection(2)
        first.cell, first.opened, first.end, first.ident = CELL, 110, end, 100
        second.cell, second.opened = CELL, 900
        for frame in (1, 2, 4, 5):
            first.frames[frame] = [(frame * 11, "buy")]
        verdict = storm_judge.Verdict()
        archive = {frame: (200 + frame, rows) for frame, rows in archived.items()}
        journal = {kept: 0}
        spoilt = {("kis-service", 100, frame) for frame in damaged}
        feed = {"source": "kis", "market": "kr", "symbol": ""}
        gaps = [{**feed, "from_ns": since, "until_ns": until} for since, until in gaps]
        connections = [first, second] if following else [first]
        storm_judge.one(first, connections, archive, journal, spoilt, gaps, verdict)
        return verdict.lost, verdict.duplicated, verdict.unread, verdict.uncovered, verdict.wrong_sides

    ALL = {frame: [(frame * 11, "buy")] for frame in (1, 2, 4, 5)}

    def without(self, *frames):
        return {frame: rows for frame, rows in self.ALL.items() if frame not in frames}

    def test_everything_is_there(self):
        self.assertEqual(self.judge(self.ALL), (0, 0, 0, 0, 0))

    def test_a_hole_is_a_loss_and_a_tail_is_a_gap(self):
        self.assertEqual(self.judge(self.without(2), gaps=[(205, 950)]), (1, 0, 0, 0, 0))
        self.assertEqual(self.judge(self.without(4, 5), gaps=[(202, 950)]), (0, 0, 2, 0, 0))

    def test_a_tail_that_no_gap_tells_or_that_was_journalled_is_not_excused(self):
        self.assertEqual(self.judge(self.without(4, 5)), (0, 0, 2, 2, 0))
        self.assertEqual(self.judge(self.without(4, 5), gaps=[(150, 950)]), (0, 0, 2, 2, 0))
        self.assertEqual(self.judge(self.without(4, 5), gaps=[(202, 800)]), (0, 0, 2, 2, 0))
        self.assertEqual(self.judge(self.without(4, 5), kept=4, gaps=[(202, 950)]), (1, 0, 1, 0, 0))
        self.assertEqual(self.judge(self.without(5), end=None, following=False, gaps=[(204, 950)]), (1, 0, 0, 0, 0))

    def test_damage_on_disk_is_a_gap(self):
        self.assertEqual(self.judge(self.without(4), damaged=[4], gaps=[(202, 950)]), (0, 0, 1, 0, 0))

    def test_a_frame_that_was_being_published_when_it_was_spoilt_has_its_first_events(self):
        def judged(*rows):
            connection = storm_judge.Connection(1)
            connection.cell, connection.ident, connection.end = CELL, 100, "lost"
            connection.frames[7] = [(70, "buy"), (71, "sell"), (72, None), (73, "buy")]
            gap = {"source": "kis", "market": "kr", "symbol": "", "from_ns": 207, "until_ns": None}
            verdict = storm_judge.Verdict()
            archive = {7: (207, [row for row in connection.frames[7] if row[0] in rows])}
            storm_judge.one(connection, [connection], archive, {}, {("kis-service", 100, 7)}, [gap], verdict)
            return verdict.lost, verdict.unread, verdict.uncovered

        self.assertEqual(judged(70, 71), (0, 2, 0))
        self.assertEqual(judged(70, 72), (0, 2, 0))
        self.assertEqual(judged(70, 73), (2, 0, 0))
        self.assertEqual(judged(71), (3, 0, 0))

    def test_a_spoilt_frame_is_a_dead_letter_and_in_a_gap(self):
        connection = storm_judge.Connection(1)
        connection.cell, connection.ident, connection.spoilt = CELL, 100, {7: "truncate", 9: "garbage"}
        gap = {"source": "kis", "market": "kr", "symbol": "005930", "from_ns": 207, "until_ns": 300}

        def problems(dead_letters, gaps):
            verdict = storm_judge.Verdict()
            # Frame 9 was never read.
            storm_judge.refused(connection, {}, {7: 207}, dead_letters, gaps, verdict)
            return len(verdict.problems)

        self.assertEqual(problems({"f:100:7": "text"}, [gap]), 0)
        self.assertEqual(problems({"f:100:7:0": "text"}, [gap]), 0)
        self.assertEqual(problems({"f:100:77": "text"}, [gap]), 1)
        self.assertEqual(problems({"f:100:7": "text"}, [{**gap, "from_ns": 208}]), 1)

    def test_a_frame_whose_count_alone_is_wrong_may_be_read_or_refused(self):
        def judged(rows, dead_letters):
            connection = storm_judge.Connection(1)
            connection.cell, connection.ident, connection.end = CELL, 100, "lost"
            connection.spoilt, connection.miscounted = {7: "wrong_count"}, [(70, "buy"), (71, "sell")]
            archive, journal = ({7: (207, rows)} if rows else {}), {7: 207}
            gap = {"source": "kis", "market": "kr", "symbol": "", "from_ns": 207, "until_ns": 300}
            verdict = storm_judge.Verdict()
            storm_judge.one(connection, [connection], archive, journal, set(), [gap], verdict)
            storm_judge.refused(connection, archive, journal, dead_letters, [gap], verdict)
            return verdict.duplicated, verdict.wrong_sides, len(verdict.problems)

        self.assertEqual(judged([(70, "buy"), (71, "sell")], {}), (0, 0, 0))
        self.assertEqual(judged([], {"f:100:7": "text"}), (0, 0, 0))
        self.assertEqual(judged([], {}), (0, 0, 1))
        self.assertEqual(judged([(70, "buy"), (72, "sell")], {}), (1, 0, 1))
        self.assertEqual(judged([(70, "sell")], {}), (0, 1, 0))

    def test_duplicates_strangers_and_wrong_sides_are_found(self):
        self.assertEqual(self.judge({**self.ALL, 2: [(22, "buy")] * 2}), (0, 1, 0, 0, 0))
        self.assertEqual(self.judge({**self.ALL, 3: [(7, None)]}), (0, 1, 0, 0, 0))
        self.assertEqual(self.judge({**self.ALL, 2: [(22, "sell")]}), (0, 0, 0, 0, 1))
        self.assertEqual(self.judge({**self.ALL, 2: [(22, "unspecified")]}), (0, 0, 0, 0, 0))

    def test_connections_are_matched_by_their_times(self):
        first, second, third = (storm_judge.Connection(number) for number in (1, 2, 3))
        for connection, opened in ((first, 110), (second, 510), (third, 910)):
            connection.cell, connection.opened = CELL, opened
        # 300 was never accepted and 500 was; nothing of the first is archived.
        self.assertEqual(storm_judge.unmatched([first, second, third], CELL, {500, 900}), [])
        self.assertEqual((first.ident, second.ident, third.ident), (None, 500, 900))
        self.assertEqual(storm_judge.unmatched([first, second, third], CELL, {1000}), [1000])


if __name__ == "__main__":
    unittest.main()
