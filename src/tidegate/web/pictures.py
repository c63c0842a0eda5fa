"""What the pages' pictures are drawn from: places and widths in thousandths of a picture's width. Pure.

The pictures themselves are SVG in the templates (`pages/pictures.html`), each with a title, a description and the same
in words or as a table beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidegate.incidents.incident import Incident
from tidegate.store.journal import Event

WIDE = 1000.0
"""The width of every picture, in its own units."""
THIN = 4.0
"""What lasted for a moment is drawn so wide."""
LANES_MAX = 12
BARS = 48
HOWS = ("hit", "wait", "stream", "stale", "pass", "refused")
"""In the order in which they are stacked."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a lane: where it begins, how wide it is, and what it looks like."""

    x: float
    width: float
    tone: str


@dataclass(frozen=True, slots=True)
class Lane:
    """An incident on the timeline."""

    incident: Incident
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a bar, from below (`y` counts from above, in hundredths of the height)."""

    how: str
    y: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Bar:
    """What was answered in one stretch of time."""

    x: float
    width: float
    since: float
    total: int
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers over time, stacked by how they were come by."""

    since: float
    until: float
    bars: tuple[Bar, ...]
    totals: Mapping[str, int]
    bytes: int
    lacking: int
    most: int

    @property
    def total(self) -> int:
        return sum(self.totals.values())

    @property
    def held_share(self) -> float | None:
        """Of what was asked, how much was given from what is held; None where nothing was asked."""
        held = sum(self.totals.get(how, 0) for how in ("hit", "stale"))
        return held / self.total if self.total else None


def tone_of(severity: int | None) -> str:
    """The look of a severity: what is felt now, what soon may be, what is over."""
    return "clear" if severity is None else "open" if severity <= 2 else "unknown"


def lanes(incidents: Iterable[Incident], since: float, now: float) -> tuple[Lane, ...]:
    """The incidents of a stretch of time, those that go on first, then the newest; LANES_MAX of them."""
    there = [one for one in incidents if (one.mitigated_at or now) >= since]
    order = sorted(there, key=lambda one: (one.state != "open", -one.started_at))
    return tuple(Lane(one, _marks(one, since, now)) for one in order[:LANES_MAX])


def _marks(incident: Incident, since: float, now: float) -> tuple[Mark, ...]:
    from tidegate.incidents.rules import BY_NAME

    drawn = [
        (stretch(span.since, now if span.until is None else span.until, since, now), BY_NAME[span.rule].severity)
        for span in incident.conditions
        if (now if span.until is None else span.until) >= since
    ]
    # What is worse lies above.
    ordered = sorted(drawn, key=lambda one: -one[1])
    return tuple(Mark(x, width, tone_of(severity)) for (x, width), severity in ordered)


def stretch(begun: float, ended: float, since: float, now: float) -> tuple[float, float]:
    """Where a stretch of time lies in a picture that shows `since` to `now`, and how wide it is: never invisible."""
    scale = WIDE / max(1.0, now - since)
    left = min(max(0.0, (begun - since) * scale), WIDE - THIN)
    right = min(WIDE, max(left + THIN, (ended - since) * scale))
    return round(left, 1), round(right - left, 1)


def answers(events: Sequence[Event], since: float, now: float) -> Answers:
    """From `served` events. Each counts where it ended."""
    by_bar: list[dict[str, int]] = [{} for _ in range(BARS)]
    totals: dict[str, int] = {}
    octets = lacking = 0
    step = (now - since) / BARS
    for event in events:
        if event.kind != "served" or event.drill or not since <= event.at <= now:
            continue
        bar = by_bar[min(BARS - 1, int((event.at - since) / step))]
        octets += _int(event, "bytes")
        lacking += _int(event, "lacking")
        for how, count in _by_how(event).items():
            bar[how] = bar.get(how, 0) + count
            totals[how] = totals.get(how, 0) + count
    most = max((sum(bar.values()) for bar in by_bar), default=0)
    bars = tuple(_bar(index, bar, most, since + index * step) for index, bar in enumerate(by_bar))
    return Answers(since, now, bars, totals, octets, lacking, most)


def _bar(index: int, counts: Mapping[str, int], most: int, since: float) -> Bar:
    y, slices = 100.0, list[Slice]()
    for how in HOWS:
        if count := counts.get(how, 0):
            height = 100.0 * count / most
            y -= height
            slices.append(Slice(how, round(y, 2), round(height, 2), count))
    width = WIDE / BARS
    return Bar(round(index * width + 1, 1), round(width - 2, 1), since, sum(counts.values()), tuple(slices))


def _by_how(event: Event) -> dict[str, int]:
    """Ways that the picture does not know are passed on."""
    found: dict[str, int] = {}
    for name, value in event.data.items():
        if name.startswith("how.") and isinstance(value, int):
            how = name.removeprefix("how.").lower()
            known = how if how in HOWS else "pass"
            found[known] = found.get(known, 0) + value
    return found


def _int(event: Event, name: str) -> int:
    value = event.data.get(name)
    return value if isinstance(value, int) else 0
