"""Measures turned into one page of HTML that needs nothing else: bars of judged figures against their bars, all values as text."""

from html import escape

import bench_report as report

#: Pixels: the label, the width of one whole limit, the height of a line. Bars go to twice the limit.
LABEL, UNIT, LINE = 300, 170, 30
MOST = 2.0

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1d2329; --soft: #5c6670; --rule: #d9dee3; --track: #eef1f4;
  --kept: #1a7f4b; --missed: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --page: #14181c; --ink: #e6e9ec; --soft: #9aa4ae; --rule: #333b43;
  --track: #20262c; --kept: #4cc38a; --missed: #ff9557; } }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { color: var(--soft); margin: .25rem 0; }
.wide { overflow-x: auto; }
svg { display: block; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } svg .soft { fill: var(--soft); }
.track { fill: var(--track); } .kept { fill: var(--kept); } .missed { fill: var(--missed); }
.bar { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { border-bottom: 1px solid var(--rule); padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 600; } .number { font-variant-numeric: tabular-nums; text-align: right; }
.miss { color: var(--missed); font-weight: 600; }
"""


def share(measure):
    """The judged figure by its bar, from 0 to MOST; None where the figure is no number."""
    value, (_, figure) = report.judged(measure), report.bar(measure)
    if value is None or value != value or figure == 0:
        return None
    return min(max(value / figure, 0.0), MOST)


def bars(measures):
    """An image of the judged measures: the dashed line is the bar of each."""
    rows = [measure for measure in measures if report.bar(measure)]
    if not rows:
        return "<p>Nothing was judged in this run.</p>"
    width, height = LABEL + int(UNIT * MOST) + 210, LINE * len(rows) + 30
    parts = [f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
             'aria-label="Judged figures, each as a share of its limit">']
    for index, measure in enumerate(rows):
        top, good = 26 + index * LINE, report.kept(measure)
        length = share(measure)
        kind, figure = report.bar(measure)
        word = "kept" if good else report.MISSED
        over = " ›" if length == MOST else ""
        text = f"{report.number(report.judged(measure))}{over}  {report.SIGNS[kind]} {report.number(figure)}  {word}"
        beside = f", beside {measure['beside']}" if measure.get("beside") else ""
        value = f"{report.number(measure['value'])} {measure['unit']}{beside}"
        parts += [
            f"<g><title>{escape(report.full_name(measure))}: {escape(value)}</title>",
            f'<text x="{LABEL - 10}" y="{top + 14}" text-anchor="end">{escape(report.full_name(measure))}</text>',
            f'<rect class="track" x="{LABEL}" y="{top}" width="{UNIT * MOST:.0f}" height="20" rx="3"/>',
            f'<rect class="{word}" x="{LABEL}" y="{top}" width="{UNIT * (length or 0):.1f}" height="20" rx="3"/>',
            f'<text x="{LABEL + UNIT * MOST + 10:.0f}" y="{top + 14}">{escape(text)}</text></g>',
        ]
    parts += [f'<line class="bar" x1="{LABEL + UNIT}" x2="{LABEL + UNIT}" y1="22" y2="{height}"/>',
              f'<text class="soft" x="{LABEL + UNIT}" y="15" text-anchor="middle">limit</text></svg>']
    return "\n".join(parts)


def table(measures):
    """Every figure as text."""
    rows = []
    for measure in measures:
        name, value, unit, ratio, limit, mark = map(escape, report.cells(measure))
        rows.append(f'<tr><td>{name}</td><td class="number">{value}</td><td>{unit}</td><td class="number">{ratio}</td>'
                    f'<td>{limit}</td><td>{escape(measure.get("beside") or "")}</td><td class="miss">{mark}</td></tr>')
    return ('<table><thead><tr><th>name</th><th class="number">value</th><th>unit</th><th class="number">ratio</th><th>limit</th>'
            "<th>beside</th><th></th></tr></thead><tbody>" + "\n".join(rows) + "</tbody></table>")


def pairs(of):
    """A mapping as two columns."""
    rows = (f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in of.items())
    return "<table><tbody>" + "".join(rows) + "</tbody></table>"


def page(result):
    """The whole page, of what bench.json holds."""
    measures = result["measures"]
    judged = [report.kept(measure) for measure in measures if report.bar(measure)]
    machine, settings = result["machine"], result["settings"]
    about = [f"{result['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['kernel']}"]
    if settings["smoke"] or settings["debug"]:
        about.append("A smoke or debug run: it checks counts, its figures say nothing.")
    if result["failed"]:
        about.append("Failed: " + ", ".join(result["failed"]))
    benches = dict.fromkeys(measure["bench"] for measure in measures)
    parts = ['<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
             f"<title>sise: benchmarks</title><style>{STYLE}</style></head><body><h1>sise: benchmarks</h1>"]
    parts += [f"<p>{escape(text)}</p>" for text in about]
    parts += [f"<h2>Against their limits: {sum(judged)} of {len(judged)} kept</h2>",
              "<p>Each bar is the ratio by its limit, or the value where there is no ratio; the dashed line is the limit. "
              "&lt;= is kept left of it, &gt;= right of it.</p>",
              f'<div class="wide">{bars(measures)}</div>']
    for bench in benches:
        parts.append(f'<h2>{escape(bench)}</h2><div class="wide">'
                     f'{table([measure for measure in measures if measure["bench"] == bench])}</div>')
    parts += [f"<h2>Versions</h2>{pairs(result['versions'])}<h2>Settings</h2>{pairs(settings)}", "</body></html>\n"]
    return "\n".join(parts)
