"""docs/soak.md, from what a soak told. Pure."""

import statistics
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from tests.soak.judging import (
    DESCRIPTORS_MAX,
    EMPTY_BYTES,
    GROWTH_MIB_MAX,
    MIB,
    SLOPE_MIB_MAX,
    Bound,
    bytes_an_event,
    courses,
    warm_up_s,
)
from tests.soak.load import CONNECTIONS, MISS_EVERY_S, RELEASE_SHARE
from tests.soak.samples import Told
from tests.soak.world import (
    LIE_EVERY_S,
    LIE_S,
    OUT_S,
    PUBLISH_EVERY_S,
    REFRESH_S,
    SOURCES,
    USED,
    USED_BYTES,
    VIOLATION_S,
    WELL_S,
)

KINDS_SHOWN = 14
WIDTH = 118
LATE_S = 30.0


def page(told: Told, found: Sequence[Bound], conditions: Mapping[str, str], beside: str, why: str = "") -> str:
    """The document. `why`: what is known of bounds that are missed."""
    return "\n".join(_filled(_lines(told, found, conditions, beside, why))) + "\n"


def _filled(lines: Iterator[str]) -> Iterator[str]:
    """Paragraphs and items, which go on in the next line, brought to one width."""
    kept = ""
    for line in (*lines, ""):
        if kept and (not line or line[0] in "-|#!"):
            yield from textwrap.wrap(
                kept, WIDTH, subsequent_indent="  " if kept[0] == "-" else "", break_on_hyphens=False
            )
            kept = ""
        if not line or line[0] in "|#!":
            yield line
        else:
            kept = f"{kept} {line.strip()}" if kept else line


def _lines(told: Told, found: Sequence[Bound], conditions: Mapping[str, str], beside: str, why: str) -> Iterator[str]:
    missed = [one for one in found if not one.is_kept]
    requests = sum(one.requests for one in told.load)
    yield "# Half an hour under load"
    yield ""
    yield "Does a gateway that is asked all the time grow, and does its journal grow as [documented](journal.md)?"
    yield f"`make soak MINUTES={told.minutes:g}` plays it, writes this page, and ends with 1 where a bound is missed."
    yield ""
    yield f"{told.at}: {_verdict(missed)} {requests:,} requests, {told.publications} publications."
    yield ""
    yield "![Memory, latency, requests, the journal and its events over the time of the soak](img/soak.svg)"
    yield ""
    yield "The first minutes, shaded, do not count: caches fill, and each kind of child process runs for the"
    yield "first time."
    yield ""
    yield "## What was played"
    yield ""
    yield from _played(told)
    yield ""
    yield "## Bounds, declared beforehand"
    yield ""
    begin = warm_up_s(told.minutes) / 60
    yield f"Memory (RSS, every 5 s, from minute {begin:g} on) may grow by {SLOPE_MIB_MAX:g} MiB in ten minutes, by the"
    yield f"median of all slopes between two samples, and by {GROWTH_MIB_MAX:g} MiB in all;"
    yield f"descriptors by {DESCRIPTORS_MAX}, but for those of held files, which a worker keeps at hand"
    yield f"(`gateway.open_files_max`){_counted_since(told)}. Each is a line of `tests/soak/judging.py`."
    yield ""
    yield "| | is | at most | |"
    yield "|---|---|---|---|"
    for one in found:
        yield f"| {one.what} | {one.is_at:,.10g} | {one.at_most:,.10g} | {'kept' if one.is_kept else '**missed**'} |"
    if why:
        yield ""
        yield why
    yield ""
    yield "## Processes"
    yield ""
    yield "| process | RSS at first | at the end | in 10 minutes | PSS, end | descriptors | held files | threads |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from _processes(told)
    yield ""
    yield "Memory in MiB. Beside these there were up to"
    yield f"{max(one.children for one in told.samples)} child processes at a time, which work something out and end."
    yield ""
    yield "## What was seen"
    yield ""
    yield from _seen(told)
    yield ""
    yield "## Conditions"
    yield ""
    yield f"{beside or 'Nothing else ran on the machine that we know of.'}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in conditions.items():
        yield f"| {name} | {value} |"


def _verdict(missed: Sequence[Bound]) -> str:
    if not missed:
        return "every bound is kept."
    return f"{len(missed)} of the bounds {'is' if len(missed) == 1 else 'are'} missed."


def _played(told: Told) -> Iterator[str]:
    requests = sum(one.requests for one in told.load)
    workers = len({one.name for sample in told.samples for one in sample.processes if one.name.startswith("worker")})
    yield f"- The real gateway with {max(1, workers)} workers and its desk, as shipped but for a look every"
    yield f"  {REFRESH_S:g} s, {VIOLATION_S:g} s for which a liar is left alone, and the status page written each"
    yield "  minute."
    yield f"- {len(SOURCES)} sources of {len(SOURCES)} operators with one signed archive. One is out for {OUT_S:g} s of"
    yield f"  every {OUT_S + WELL_S:g}, and one gives wrong bytes for {LIE_S:g} s of every {LIE_EVERY_S:g}:"
    yield f"  {told.outages} and {told.lies} times."
    yield f"- A publication every {PUBLISH_EVERY_S:g} s: {told.publications}. Each brings one of the {USED} packages of"
    yield f"  {USED_BYTES // 1000} kB that the fleet uses anew."
    yield f"- {requests / told.minutes / 60:.0f} requests a second over {CONNECTIONS} connections,"
    yield f"  {100 * RELEASE_SHARE:.0f} % for InRelease, the others for those packages; every {MISS_EVERY_S:g} s one"
    yield "  that nobody ever asked for. Each byte is held against the index, the index against the Release, the"
    yield "  Release against those that were published."
    yield f"- {told.apt_runs} runs of the real apt, each a whole update and all {USED} packages anew."
    yield f"- {told.reports:,} reports of hosts, each of a state that had changed; {told.pages} looks at the dashboard,"
    yield f"  and its stream of events open all the time: it told {told.stream_decisions:,}."


def _counted_since(told: Told) -> str:
    """Where held files were not told from others at first."""
    since_s = max((one.since_s for one in courses(told, lambda process: process.others)), default=0.0)
    late = since_s > warm_up_s(told.minutes) + LATE_S
    return f", counted apart from minute {since_s / 60:.0f} on" if late else ""


def _processes(told: Told) -> Iterator[str]:
    last = {one.name: one for sample in told.samples for one in sample.processes}
    for one in courses(told, lambda process: process.rss_bytes / MIB):
        ended = last[one.process]
        yield (
            f"| {one.process} | {one.first:.1f} | {one.last:.1f} | {one.slope_per_10_min:+.2f} |"
            f" {ended.pss_bytes / MIB:.1f} | {ended.descriptors} |"
            f" {'not counted' if ended.blobs is None else ended.blobs} | {ended.threads} |"
        )


def _seen(told: Told) -> Iterator[str]:
    p50 = statistics.median(one.p50_ms for one in told.load)
    p99 = statistics.median(one.p99_ms for one in told.load)
    hits, size = sum(one.hits for one in told.load), sum(one.bytes for one in told.load)
    begun, ended = told.samples[0], told.samples[-1]
    events = sum(told.kinds.values())
    yield f"- {hits:,} hits of {sum(one.requests for one in told.load):,} requests, {size / 1e9:.1f} GB. In each 5 s,"
    yield f"  half of the hits took {p50:.2f} ms or less and 99 of 100 {p99:.2f} ms (medians over the soak), from the"
    yield f"  moment they were due; the slowest took {max(one.worst_ms for one in told.load):.0f} ms. The clients,"
    yield "  which compute SHA-256 of each answer, the sources and apt shared the machine's cores with the gateway."
    yield f"- The journal took in {events:,} events, {events / told.minutes:.1f} a minute, and is {told.event_bytes:,}"
    yield f"  bytes long: {bytes_an_event(told)} for each event beyond the {EMPTY_BYTES // 1024} KiB of an empty one."
    yield f"  At most {max(one.noted_bytes for one in told.samples):,} bytes were noted and not in it yet, as the"
    yield "  samples saw it."
    yield f"- State grew from {begun.state_bytes / MIB:.1f} to {ended.state_bytes / MIB:.1f} MiB, the cache from"
    yield f"  {begun.cache_bytes / MIB:.1f} to {ended.cache_bytes / MIB:.1f}:"
    yield "  packages come, and old ones go after days."
    yield ""
    yield "| events | |"
    yield "|---|---|"
    for kind, count in list(told.kinds.items())[:KINDS_SHOWN]:
        yield f"| `{kind}` | {count:,} |"
    left = list(told.kinds.values())[KINDS_SHOWN:]
    if left:
        yield f"| {len(left)} other kinds | {sum(left):,} |"
