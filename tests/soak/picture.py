"""A soak as a picture: memory, latency, the journal, what was asked. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from tests.soak.judging import MIB, warm_up_s
from tests.soak.samples import Told

WIDTH, LEFT, RIGHT = 960, 200, 24
TALL, GAP = 92, 40
TICKS = 7
LABEL_PX = 13
_STYLE = """\
svg { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; background: #ffffff; }
text { fill: #16293a; }
.quiet { fill: #51606f; }
.title { font-size: 17px; font-weight: bold; }
.axis { stroke: #c3ced8; stroke-width: 1; }
.warm { fill: #eef2f5; }
polyline { fill: none; stroke-width: 1.6; }
.c0 { stroke: #16293a; } .c1 { stroke: #5a86ab; } .c2 { stroke: #c0504d; } .c3 { stroke: #6b9a72; }
.k0 { fill: #16293a; } .k1 { fill: #5a86ab; } .k2 { fill: #c0504d; } .k3 { fill: #6b9a72; }
@media (prefers-color-scheme: dark) {
  svg { background: #10181f; }
  text { fill: #e6eef5; }
  .quiet { fill: #b9c6d1; }
  .axis { stroke: #41505d; }
  .warm { fill: #1a252e; }
  .c0 { stroke: #ffffff; } .k0 { fill: #ffffff; }
}"""

Points = Sequence[tuple[float, float]]


def picture(told: Told) -> str:
    """An SVG of its own, without a script and without anything from elsewhere."""
    panels = tuple(_panels(told))
    height = 70 + len(panels) * (TALL + GAP) + 10
    title = f"{told.minutes:g} minutes under constant load"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
        f"<style>\n{_STYLE}\n</style>",
        f'<text class="title" x="16" y="28">{title}</text>',
        f'<text class="quiet" x="16" y="48">{escape(_sum(told))}</text>',
    ]
    for number, (name, unit, series) in enumerate(panels):
        lines += _panel(66 + number * (TALL + GAP), name, unit, series, told)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _sum(told: Told) -> str:
    requests = sum(one.requests for one in told.load)
    bad = sum(one.error_count + one.wrong_bytes for one in told.load)
    return f"{requests:,} requests, {bad:,} not answered as they should be; {sum(told.kinds.values()):,} events"


def _panels(told: Told) -> Iterator[tuple[str, str, dict[str, Points]]]:
    names = dict.fromkeys(one.name for sample in told.samples for one in sample.processes)
    memory: dict[str, Points] = {
        name: [(s.at_s, p.rss_bytes / MIB) for s in told.samples for p in s.processes if p.name == name]
        for name in names
    }
    yield "memory (RSS)", "MiB", memory
    yield (
        "latency of hits",
        "ms",
        {
            "half are faster": [(one.until_s, one.p50_ms) for one in told.load],
            "99 in 100 are": [(one.until_s, one.p99_ms) for one in told.load],
        },
    )
    yield "requests", "a second", {"": _rates([(one.until_s, one.requests) for one in told.load])}
    yield (
        "journal",
        "KiB",
        {
            "journal.db": [(s.at_s, s.journal_bytes / 1024) for s in told.samples],
            "its log": [(s.at_s, s.wal_bytes / 1024) for s in told.samples],
        },
    )
    yield "events", "in all", {"": [(s.at_s, s.events) for s in told.samples]}


def _rates(counts: Points) -> Points:
    before = 0.0
    rates = []
    for at, count in counts:
        rates.append((at, count / (at - before)))
        before = at
    return rates


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _panel(y: int, name: str, unit: str, series: dict[str, Points], told: Told) -> Iterator[str]:
    most = max((value for points in series.values() for _, value in points), default=0.0) or 1.0
    lasts_s = told.minutes * 60

    def x(at: float) -> float:
        return round(LEFT + min(1.0, at / lasts_s) * (WIDTH - LEFT - RIGHT), 1)

    yield f'<rect class="warm" x="{LEFT}" y="{y}" width="{x(warm_up_s(told.minutes)) - LEFT:.1f}" height="{TALL}"/>'
    yield f'<text x="16" y="{y + 14}">{name}</text>'
    yield f'<text class="quiet" x="{LEFT - 6}" y="{y + 10}" text-anchor="end">{_short(most)} {unit}</text>'
    yield f'<text class="quiet" x="{LEFT - 6}" y="{y + TALL}" text-anchor="end">0</text>'
    yield f'<line class="axis" x1="{LEFT}" y1="{y + TALL}" x2="{WIDTH - RIGHT}" y2="{y + TALL}"/>'
    for number, (label, points) in enumerate(series.items()):
        line = " ".join(f"{x(at)},{round(y + TALL - value / most * (TALL - 4), 1)}" for at, value in points)
        yield f'<polyline class="c{number % 4}" points="{line}"/>'
        if label:
            yield f'<rect class="k{number % 4}" x="16" y="{y + 24 + number * LABEL_PX}" width="9" height="9"/>'
            yield f'<text class="quiet" x="30" y="{y + 33 + number * LABEL_PX}" font-size="11">{escape(label)}</text>'
    for number in range(TICKS):
        at = lasts_s * number / (TICKS - 1)
        anchor = "start" if not number else "end" if number == TICKS - 1 else "middle"
        place = f'x="{x(at)}" y="{y + TALL + 15}" text-anchor="{anchor}"'
        yield f'<text class="quiet" {place} font-size="10">{at / 60:g} min</text>'
