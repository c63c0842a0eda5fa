"""A drill as a picture: what was served, how the sources were, how fresh it was, and what was told of it. Pure.

From left to right runs the clock; the story's time stands below, and runs faster where nothing happens.
"""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby, pairwise

from tidegate.drill.record import Record, Sample, Staging
from tidegate.drill.scenario import Scenario, Tempo
from tidegate.incidents.incident import Incident

WIDTH, LEFT, RIGHT = 960, 150, 24
BUCKETS = 64
TICKS = 9
STEPS_SHOWN_MAX = 32
LANE, BARS, LINES, GAP, LINE = 22, 70, 56, 34, 17
_STATE: Mapping[str, str] = {
    "good": "good",
    "unused": "good",
    "behind": "behind",
    "on trial": "trial",
    "out": "out",
    "wrong bytes": "wrong",
}
MARK_ROWS = 4
"""Of numbers of steps, one above the other where many steps are played at once."""
MARK_HEIGHT, MARK_WIDTH = 9, 13
_KEY = {"good": "well", "behind": "behind", "trial": "on trial", "out": "out"}
_STYLE = """\
svg { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; background: #ffffff; }
text { fill: #16293a; }
.quiet { fill: #51606f; }
.title { font-size: 17px; font-weight: bold; }
.axis { stroke: #c3ced8; stroke-width: 1; }
.good { fill: #8fb996; }
.behind { fill: #d9c46a; }
.trial { fill: #e0a458; }
.out { fill: #c0504d; }
.wrong { fill: #7b3f8c; }
.served { fill: #5a86ab; }
.lost { fill: #c0504d; }
.incident { fill: #e9b7b5; stroke: #c0504d; }
.best { fill: none; stroke: #8b99a6; stroke-width: 5; }
.given { fill: none; stroke: #16293a; stroke-width: 1.6; }
.mark { stroke: #8b99a6; stroke-width: 1; stroke-dasharray: 2 3; }
@media (prefers-color-scheme: dark) {
  svg { background: #10181f; }
  text { fill: #e6eef5; }
  .quiet { fill: #b9c6d1; }
  .axis, .mark { stroke: #41505d; }
  .given { stroke: #ffffff; }
  .incident { fill: #5b2b2a; }
}"""


def picture(scenario: Scenario, tempo: Tempo, record: Record, incidents: Iterable[Incident], verdict: str) -> str:
    """An SVG of its own, without a script and without anything from elsewhere."""
    return "\n".join(_Drawing(scenario, tempo, record, tuple(incidents), verdict).lines()) + "\n"


class _Drawing:
    def __init__(
        self, scenario: Scenario, tempo: Tempo, record: Record, incidents: tuple[Incident, ...], verdict: str
    ) -> None:
        self._scenario, self._tempo, self._record = scenario, tempo, record
        self._incidents, self._verdict = incidents, verdict
        last = record.samples[-1].clock_s if record.samples else 0.0
        self._lasts_s = max(tempo.lasts_s, last, 1e-3)

    def lines(self) -> Iterator[str]:
        body, y = [], 66 + (MARK_ROWS - 1) * MARK_HEIGHT
        fresh = [self._freshness] if any(one.best_generation for one in self._record.samples) else []
        for draw in (self._requests, self._sources, *fresh, self._spans):
            drawn = list(draw(y))
            body += drawn
            y += self._height(draw.__name__) + GAP
        steps = self._record.steps[:STEPS_SHOWN_MAX]
        height = y + 16 + LINE * (len(steps) + (len(self._record.steps) > len(steps)))
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            f' aria-label="{escape(self._scenario.title)}">'
        )
        yield f"<style>\n{_STYLE}\n</style>"
        yield f'<text class="title" x="16" y="28">{escape(self._scenario.title)}: {self._verdict}</text>'
        counted = list(self._answers())
        served, lost = sum(good for _, good, _ in counted), sum(bad for _, _, bad in counted)
        told = f"{served:,} of {served + lost:,} requests served; {len(self._record.runs)} runs of the real apt"
        lasted = f"{self._lasts_s:.0f} s by the clock, {self._tempo_words()}"
        yield f'<text class="quiet" x="16" y="48">{told}; {lasted}</text>'
        yield from _key()
        yield from self._marks(steps, 60, y - GAP + 6)
        yield from body
        yield from self._axis(y - GAP + 20)
        yield from self._legend(steps, y + 14)
        yield "</svg>"

    def _height(self, name: str) -> int:
        lanes = {"_sources": max(1, len(self._record.lanes)), "_spans": max(1, len(self._incidents))}
        return {"_requests": BARS, "_freshness": LINES}.get(name) or lanes[name] * LANE

    def _tempo_words(self) -> str:
        return f"{self._scenario.ends_s / 3_600:g} h in the story"

    def _x(self, clock_s: float) -> float:
        share = min(1.0, max(0.0, clock_s / self._lasts_s))
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def _requests(self, y: int) -> Iterator[str]:
        yield _label("requests", y + 14)
        served, lost = [0] * BUCKETS, [0] * BUCKETS
        for clock_s, good, bad in self._answers():
            place = min(BUCKETS - 1, max(0, int(clock_s / self._lasts_s * BUCKETS)))
            served[place] += good
            lost[place] += bad
        most = max(1, *(good + bad for good, bad in zip(served, lost, strict=True)))
        width = (WIDTH - LEFT - RIGHT) / BUCKETS
        for number, (good, bad) in enumerate(zip(served, lost, strict=True)):
            x = round(LEFT + number * width, 1)
            tall, short = round(BARS * good / most, 1), round(BARS * bad / most, 1)
            yield _box("served", x, y + BARS - tall, round(width - 1, 1), tall)
            if short:
                yield _box("lost", x, round(y + BARS - tall - short, 1), round(width - 1, 1), short)
        yield f'<line class="axis" x1="{LEFT}" y1="{y + BARS}" x2="{WIDTH - RIGHT}" y2="{y + BARS}"/>'

    def _answers(self) -> Iterator[tuple[float, int, int]]:
        """When how many were served, and were not: one by one, or where nobody counted them, sample by sample."""
        began_at, samples = self._record.began_at, self._record.samples
        for one in self._record.requests:
            yield one.until - began_at, int(one.is_right), int(not one.is_right)
        if not self._record.requests:
            for before, after in pairwise(samples):
                served, requests = after.served - before.served, after.requests - before.requests
                yield after.clock_s, served, requests - served

    def _sources(self, y: int) -> Iterator[str]:
        for number, name in enumerate(self._record.lanes):
            top = y + number * LANE
            yield _label(name, top + 14)
            for begun, ended, state in _stretches(self._record.samples, number, self._lasts_s):
                x = self._x(begun)
                yield _box(_STATE.get(state, "behind"), x, top, max(0.5, round(self._x(ended) - x, 1)), LANE - 6)

    def _freshness(self, y: int) -> Iterator[str]:
        yield _label("publication", y + 14)
        samples = self._record.samples
        best = [(one.clock_s, one.best_generation) for one in samples]
        given = [(one.clock_s, one.served_generation) for one in samples]
        known = [generation for _, generation in (*best, *given) if generation]
        low, high = min(known, default=0), max(known, default=1)
        for name, values in (("best", best), ("given", given)):
            for line in _unbroken(values):
                points = [
                    f"{self._x(clock_s)},{round(y + LINES - 4 - (one - low) / max(1, high - low) * (LINES - 8), 1)}"
                    for clock_s, one in line
                ]
                yield f'<polyline class="{name}" points="{" ".join(_stepped(points))}"/>'
        yield f'<text class="quiet" x="16" y="{y + 32}">grey: at a working</text>'
        yield f'<text class="quiet" x="16" y="{y + 46}">source; line: served</text>'

    def _spans(self, y: int) -> Iterator[str]:
        yield _label("incidents", y + 14)
        for number, one in enumerate(self._incidents):
            begun = one.started_at - self._record.began_at
            ended = (one.mitigated_at or self._record.ended_at) - self._record.began_at
            x, top = self._x(begun), y + number * LANE
            wide = max(2.0, round(self._x(ended) - x, 1))
            yield _box("incident", x, top, wide, LANE - 6)
            said = escape(f"SEV{one.severity} {one.title[:60]}")
            place = f'x="{x + 5}"' if x < WIDTH * 0.6 else f'x="{x + wide - 5}" text-anchor="end"'
            yield f'<text {place} y="{top + 12}">{said}</text>'

    def _marks(self, steps: "list[Staging]", top: int, bottom: int) -> Iterator[str]:
        ends = [0.0] * MARK_ROWS
        for number, step in enumerate(steps, 1):
            x = self._x(step.clock_s)
            row = next((one for one, end in enumerate(ends) if end <= x), ends.index(min(ends)))
            ends[row] = x + MARK_WIDTH
            y = top - 1 + row * MARK_HEIGHT
            yield f'<line class="mark" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>'
            yield f'<text class="quiet" x="{x}" y="{y}" font-size="9">{number}</text>'

    def _axis(self, y: int) -> Iterator[str]:
        for number in range(TICKS):
            clock_s = self._tempo.lasts_s * number / (TICKS - 1)
            anchor = "start" if not number else "end" if number == TICKS - 1 else "middle"
            shown = self._scenario.shown(self._tempo.story_s(clock_s))
            short = shown[6:11] if self._scenario.begins else shown.rpartition(":")[0]
            yield f'<text class="quiet" x="{self._x(clock_s)}" y="{y}" text-anchor="{anchor}">{short}</text>'

    def _legend(self, steps: "list[Staging]", y: int) -> Iterator[str]:
        for number, step in enumerate(steps, 1):
            said = f"{number}. {self._scenario.shown(step.story_s)} {step.text}"
            yield f'<text x="16" y="{y + 6 + (number - 1) * LINE}">{escape(said[:130])}</text>'
        left = len(self._record.steps) - len(steps)
        if left:
            yield f'<text class="quiet" x="16" y="{y + 6 + len(steps) * LINE}">and {left} more</text>'


def _stretches(samples: "list[Sample]", source: int, lasts_s: float) -> Iterator[tuple[float, float, str]]:
    """From when to when a source was in which state."""
    known = [(one.clock_s, one.sources[source]) for one in samples if source < len(one.sources)]
    begun = 0
    for number in range(1, len(known) + 1):
        if number == len(known) or known[number][1] != known[begun][1]:
            ended = known[number][0] if number < len(known) else lasts_s
            yield known[begun][0], ended, known[begun][1]
            begun = number


def _key() -> Iterator[str]:
    """What the sources' colours mean."""
    x = WIDTH - RIGHT - 92 * len(_KEY)
    for name, word in _KEY.items():
        yield _box(name, x, 18, 12, 12)
        yield f'<text class="quiet" x="{x + 17}" y="28">{word}</text>'
        x += 92


def _unbroken(values: list[tuple[float, int]]) -> Iterator[list[tuple[float, int]]]:
    """The stretches in which there was a publication to tell of."""
    for is_known, stretch in groupby(values, key=lambda value: value[1] > 0):
        if is_known:
            yield list(stretch)


def _stepped(points: list[str]) -> Iterator[str]:
    """A line that changes at once, not by and by."""
    before = ""
    for point in points:
        if before:
            yield f"{point.partition(',')[0]},{before.partition(',')[2]}"
        yield point
        before = point


def _label(text: str, y: float) -> str:
    return f'<text x="16" y="{y}">{escape(text[:22])}</text>'


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>'
