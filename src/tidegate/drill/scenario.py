"""A scenario: what goes wrong when, what is published, what clients do, and what must come of it. Pure.

A TOML file, read strictly: an unknown key, a name that nothing has, a step outside the story refuses. Times are the
story's own (`+1h30m` after its beginning, or a date and time in UTC); `[[pace]]` says how fast they pass.
docs/drills.md lists every key, and a test holds it to these definitions.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from tidegate.drill.kinds import KINDS, fits
from tidegate.drill.measures import MEASURES

SCENARIO_BYTES_MAX = 1 << 20
STEPS_MAX = 2_000
SPAN_S_MAX = 400 * 86_400.0
_SPAN = re.compile(r"\+(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?")

When = Annotated[str, Meta(description="`+1h30m` from the beginning, or a TOML date and time in UTC")]
Text = Annotated[str, Meta(max_length=2_000)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+-]{0,63}$", title="a name of a-z, 0-9, dot, plus and minus")]
OTHERS = ("dns", "disk", "clock", "gateway")


class ScenarioError(ValueError):
    """A scenario that cannot be played: a sentence saying why."""


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[source]]`: a place to get the archive's bytes from, in the laboratory."""

    name: Annotated[Name, Meta(description="what faults call it")]
    operator: Annotated[str, Meta(min_length=1, max_length=100, description="who runs it")]
    behind: Annotated[str, Meta(description="so long after a publication it has it, as `+10m`")] = "+0s"


class Feed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[feed]]`: a vendor's feed on vulnerabilities, in the laboratory."""

    name: Annotated[Name, Meta(description="what faults call it, after `feed:`")]


class Clients(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[clients]`: who asks, how often, for what."""

    hosts: Annotated[int, Meta(ge=1, le=64, description="clients that speak HTTP as apt does, one after the other")] = 4
    apt: Annotated[int, Meta(ge=0, le=8, description="real apt-get in private roots, where there is an apt")] = 1
    every: Annotated[str, Meta(description="how often each of them updates, and fetches what is new")] = "+15m"
    uses: Annotated[tuple[Name, ...], Meta(min_length=1, description="packages that the fleet uses")]


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[pace]]`: until then the story runs so many times faster than the clock."""

    until: When
    factor: Annotated[float, Meta(gt=0, le=100_000)]


class Publish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[publish]]`: the vendor publishes a new version of a package."""

    at: When
    package: Name
    version: Annotated[str, Meta(pattern=r"^[0-9][A-Za-z0-9.+:~-]{0,99}$", title="a Debian version")]
    note: Text = ""


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[fault]]`: something is wrong with these, from then to then."""

    at: When
    until: When
    on: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="sources; `operator:NAME`; `feed:NAME`; `dns`, `disk`, `clock`, `gateway`"),
    ]
    kind: Annotated[str, Meta(description="below")]
    status: Annotated[int, Meta(ge=400, le=599, description="of `status`")] = 503
    bytes_s: Annotated[int, Meta(ge=1, description="of `slow`")] = 2_000
    after_bytes: Annotated[int, Meta(ge=0, description="of `truncate`, `corrupt`")] = 2_000
    on_s: Annotated[float, Meta(gt=0, description="of `flap`: seconds by the clock that it is out")] = 1.0
    off_s: Annotated[float, Meta(gt=0, description="of `flap`: and well")] = 1.0
    by_s: Annotated[float, Meta(description="of `jump`: seconds, back if negative")] = 0.0
    connections: Annotated[int, Meta(ge=1, le=2_000, description="of `slowloris`")] = 200
    note: Text = ""


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[note]]`: something that happens elsewhere, for the timeline."""

    at: When
    text: Text


class Claim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[claim]]`: somebody says something about the incident that there is then; in the laboratory."""

    at: When
    by: Annotated[str, Meta(min_length=1, max_length=200, description="who says it")]
    text: Annotated[Text, Meta(description="what they say")]
    attributes_to: Annotated[str, Meta(max_length=200, description="whom they hold responsible")] = ""
    confidence: Annotated[int, Meta(ge=0, le=100, description="how far it is believed")] = 0


class Expect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[expect]]`: what must come of it."""

    measure: Annotated[str, Meta(description="docs/drills.md lists them")]
    ground: Annotated[Literal["both", "lab", "live"], Meta(description="where it is expected")] = "both"
    at_least: float | None = None
    at_most: float | None = None


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    about: Text = ""
    begins: Annotated[str, Meta(description="the story's first moment, a TOML date and time in UTC; empty: none")] = ""
    ends: When
    refresh: Annotated[str, Meta(description="how often the gateway looks for news, in the story's time")] = "+15m"
    source: Annotated[tuple[Source, ...], Meta(max_length=16, description="at least one")] = ()
    feed: Annotated[tuple[Feed, ...], Meta(max_length=4)] = ()
    clients: Clients
    pace: Annotated[tuple[Pace, ...], Meta(min_length=1, max_length=100)]
    publish: Annotated[tuple[Publish, ...], Meta(max_length=STEPS_MAX)] = ()
    fault: Annotated[tuple[Fault, ...], Meta(max_length=STEPS_MAX)] = ()
    note: Annotated[tuple[Note, ...], Meta(max_length=STEPS_MAX)] = ()
    claim: Annotated[tuple[Claim, ...], Meta(max_length=100)] = ()
    expect: Annotated[tuple[Expect, ...], Meta(min_length=1, max_length=100)]

    def moment(self, when: str) -> float:
        """Seconds of the story from its beginning. Raises ScenarioError."""
        if when.startswith("+"):
            return span_s(when)
        if not self.begins:
            raise ScenarioError(f"{when}: a date and time needs `begins`")
        return (_date(when) - _date(self.begins)).total_seconds()

    @property
    def ends_s(self) -> float:
        """The length of the story, in its own seconds."""
        return self.moment(self.ends)

    @property
    def is_live(self) -> bool:
        """Whether all that goes wrong can go wrong in a running gateway as well."""
        return bool(self.fault) and all(KINDS[one.kind].is_live for one in self.fault)

    @property
    def lab_only(self) -> tuple[str, ...]:
        """Why it cannot, a sentence for each kind of fault."""
        kinds = dict.fromkeys(one.kind for one in self.fault)
        return tuple(f"{kind}: {KINDS[kind].lab_only}" for kind in kinds if not KINDS[kind].is_live)

    def shown(self, moment_s: float) -> str:
        """A moment of the story for people."""
        if self.begins:
            return datetime.fromtimestamp(_date(self.begins).timestamp() + moment_s, UTC).strftime("%m-%d %H:%M:%SZ")
        hours, rest = divmod(int(moment_s), 3_600)
        return f"+{hours}:{rest // 60:02}:{rest % 60:02}"

    def targets(self, fault: Fault) -> tuple[str, ...]:
        """What a fault is on, operators resolved to their sources."""
        named: list[str] = []
        for one in fault.on:
            kind, _, name = one.partition(":")
            if kind == "operator":
                named += [source.name for source in self.source if source.operator == name]
            else:
                named.append(one)
        return tuple(dict.fromkeys(named))


T = TypeVar("T")


def span_s(text: str) -> float:
    """`+1d2h3m4s` in seconds. Raises ScenarioError."""
    found = _SPAN.fullmatch(text)
    if found is None or text == "+":
        raise ScenarioError(f"{text!r} is no span of time: write it as +1h30m")
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _date(text: str) -> datetime:
    """A date and time with its zone. Raises ScenarioError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ScenarioError(f"{text!r} is neither a span (+1h30m) nor a date and time") from None
    if found.tzinfo is None:
        raise ScenarioError(f"{text}: a date and time needs its zone: write Z behind it")
    return found


def _dated(value: object) -> object:
    """TOML's own dates as text, whatever they are in."""
    if isinstance(value, dict):
        return {key: _dated(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_dated(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def read(data: bytes) -> Scenario:
    """A scenario that can be played. Raises ScenarioError."""
    if len(data) > SCENARIO_BYTES_MAX:
        raise ScenarioError(f"more than {SCENARIO_BYTES_MAX:,} bytes")
    try:
        scenario = msgspec.convert(_dated(tomllib.loads(data.decode())), Scenario)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"it is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ScenarioError(str(error)) from None
    for why in _objections(scenario):
        raise ScenarioError(why)
    return scenario


def _objections(scenario: Scenario) -> Iterator[str]:
    """What is wrong with it beyond its shape."""
    if not 0 < scenario.ends_s <= SPAN_S_MAX:
        yield f"it ends {scenario.ends_s:g} s after its beginning"
    if scenario.begins:
        _date(scenario.begins)
    span_s(scenario.refresh)
    span_s(scenario.clients.every)
    for source in scenario.source:
        span_s(source.behind)
    names = [source.name for source in scenario.source]
    if len(set(names)) != len(names):
        yield "two sources have one name"
    paces = [scenario.moment(one.until) for one in scenario.pace]
    if paces != sorted(set(paces)) or paces[-1] < scenario.ends_s:
        yield "each pace lasts longer than the one before it, and the last one to the end"
    steps: list[tuple[str, str]] = [
        *(("publish", one.at) for one in scenario.publish),
        *(("note", one.at) for one in scenario.note),
        *(("claim", one.at) for one in scenario.claim),
        *(("fault", one.at) for one in scenario.fault),
        *(("fault", one.until) for one in scenario.fault),
    ]
    for what, when in steps:
        if not 0 <= scenario.moment(when) <= scenario.ends_s:
            yield f"a {what} at {when} is outside the story"
    for fault in scenario.fault:
        yield from _about_fault(scenario, fault)
    for expect in scenario.expect:
        yield from _about_expectation(expect)


def _about_fault(scenario: Scenario, fault: Fault) -> Iterator[str]:
    if scenario.moment(fault.until) <= scenario.moment(fault.at):
        yield f"{fault.kind} at {fault.at} ends before it begins"
    targets = scenario.targets(fault)
    if not targets:
        yield f"{fault.kind} at {fault.at} is on nothing: {', '.join(fault.on)}"
    if fault.kind not in KINDS:
        yield f"there is no fault {fault.kind}"
        return
    known = {*OTHERS, *(one.name for one in scenario.source), *(f"feed:{one.name}" for one in scenario.feed)}
    for target in targets:
        if target not in known:
            yield f"{fault.kind} at {fault.at}: there is no {target}"
        elif not fits(fault.kind, target):
            yield f"{fault.kind} is nothing that {target} can have"


def _about_expectation(expect: Expect) -> Iterator[str]:
    if expect.measure.partition(":")[0] not in MEASURES:
        yield f"there is no measure {expect.measure}"
    elif MEASURES[expect.measure.partition(":")[0]].takes != (":" in expect.measure):
        yield f"{expect.measure}: {MEASURES[expect.measure.partition(':')[0]].meaning}"
    if expect.at_least is None and expect.at_most is None:
        yield f"{expect.measure}: at_least or at_most is lacking"


class Tempo:
    """The story's time and the clock's, in seconds from the beginning of each."""

    def __init__(self, scenario: Scenario, *, lasts_s: float | None = None) -> None:
        """`lasts_s`: as long as that by the clock, with the scenario's paces among each other."""
        self._stretches: list[tuple[float, float, float, float]] = []  # story from, clock from, story to, factor
        story = clock = 0.0
        for pace in scenario.pace:
            until = min(scenario.moment(pace.until), scenario.ends_s)
            if until > story:
                self._stretches.append((story, clock, until, pace.factor))
                clock += (until - story) / pace.factor
                story = until
        stretch = 1.0 if lasts_s is None else lasts_s / clock
        self._stretches = [(one, at * stretch, until, factor / stretch) for one, at, until, factor in self._stretches]
        self.lasts_s = clock * stretch

    def clock_s(self, story_s: float) -> float:
        """When, by the clock, a moment of the story is."""
        return self._found(lambda one: story_s <= one[2], lambda one: one[1] + (story_s - one[0]) / one[3])

    def story_s(self, clock_s: float) -> float:
        """Which moment of the story it is by the clock."""
        end = self._stretches[-1][2]
        if clock_s >= self.lasts_s:
            return end
        return self._found(
            lambda one: clock_s <= one[1] + (one[2] - one[0]) / one[3], lambda one: one[0] + (clock_s - one[1]) * one[3]
        )

    def factor_at(self, clock_s: float) -> float:
        """How fast the story runs then."""
        return self._found(lambda one: clock_s <= one[1] + (one[2] - one[0]) / one[3], lambda one: one[3])

    @property
    def usual_factor(self) -> float:
        """The pace that most of the story runs at, however long that takes by the clock."""
        runs: dict[float, float] = {}
        for story_s, _, until, factor in self._stretches:
            runs[factor] = runs.get(factor, 0.0) + until - story_s
        return max(runs, key=runs.__getitem__)

    def _found(
        self,
        fits: Callable[[tuple[float, float, float, float]], bool],
        value: Callable[[tuple[float, float, float, float]], T],
    ) -> T:
        return value(next((one for one in self._stretches if fits(one)), self._stretches[-1]))
