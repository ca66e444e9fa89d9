"""Measures, as `bench` prints them, turned into lines for people: name, value, unit, ratio, limit.

A measure is a dict: bench, name, value, unit; where there is something beside it, ratio and beside; where there is a bar, limit:
{"at_most": 4.0} or {"at_least": 0.9}, of the ratio, or without one of the value.
"""

import json

#: Which way a bar holds, and how it is written.
SIGNS = {"at_most": "<=", "at_least": ">="}
MISSED = "missed"
HEAD = ("name", "value", "unit", "ratio", "limit", "")


def read(text):
    """The measures of what a benchmark printed. Raises ValueError with the line that is none."""
    found = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            measure = json.loads(line)
            full_name(measure), bar(measure), float(measure["value"]), measure["unit"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no measure: {line[:200]!r} ({error!r})") from error
        found.append(measure)
    return found


def full_name(measure):
    """bench/name."""
    return f"{measure['bench']}/{measure['name']}"


def bar(measure):
    """(kind, figure) of the bar, or None."""
    limit = measure.get("limit")
    if not limit:
        return None
    (kind, figure), = limit.items()
    if kind not in SIGNS:
        raise ValueError(f"a bar of an unknown kind: {kind}")
    return kind, float(figure)


def judged(measure):
    """The figure that the bar is about: the ratio, or without one the value. A ratio that is there and is null was no number."""
    return measure["ratio"] if "ratio" in measure else measure["value"]


def kept(measure):
    """Whether the bar is kept; None where there is none. What is no number keeps no bar."""
    limit = bar(measure)
    if limit is None:
        return None
    kind, figure = limit
    value = judged(measure)
    if value is None:
        return False
    return value <= figure if kind == "at_most" else value >= figure


def number(value):
    """As many digits as say something: 15300, 312, 4.13, 0.0871."""
    if value is None or value != value:
        return "nan"
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"


def cells(measure):
    """The columns of one line."""
    limit = bar(measure)
    return (
        full_name(measure),
        number(measure["value"]),
        measure["unit"],
        "-" if "ratio" not in measure else "nan" if measure["ratio"] is None else f"{measure['ratio']:.2f}",
        "-" if limit is None else f"{SIGNS[limit[0]]} {number(limit[1])}",
        MISSED if kept(measure) is False else "",
    )


#: At least so wide, so that the lines of benchmarks that end one after the other stand in the same columns.
WIDTHS = (46, 10, 16, 8, 10, 0)


def lines(measures, head=False):
    """The lines of measures, in columns; numbers end at the same place."""
    rows = [HEAD] * head + [cells(measure) for measure in measures]
    widths = [max([least, *(len(row[column]) for row in rows)]) for column, least in enumerate(WIDTHS)]
    right = (1, 3)
    return ["  ".join(cell.rjust(width) if column in right else cell.ljust(width)
                      for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
