"""One advisory, in lines for people: what each feed says, and how old that is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tidegate.cli.asking import age
from tidegate.cli.render import Column, plain_table

if TYPE_CHECKING:
    from tidegate.web.advisories_report import AdvisoryReport, RecordReport, StatementReport

TEXT_SHOWN_CHARS = 600
IDS_SHOWN = 12
NOTICES_SHOWN = 20
_STATEMENTS = (
    Column("release"),
    Column("package"),
    Column("status"),
    Column("fixed in"),
    Column("says"),
    Column("since"),
)
_BASIS = (Column("feed"), Column("state"), Column("seen current", is_figure=True), Column("published", is_figure=True))


def advisory_lines(report: "AdvisoryReport") -> Iterator[str]:
    """All of it."""
    yield f"{report.id}, as of {_clock(report.as_of)}"
    if report.state == "old":
        yield "WHAT IS KNOWN IS TOO OLD TO BE BELIEVED: nothing said here is no all-clear."
    if report.state == "missing":
        yield "NO VENDOR'S FEED WAS TAKEN IN BY THEN: nothing said here is no all-clear."
    if not report.found:
        yield "No feed says anything about it."
    for record in report.records:
        yield from _record(record)
    yield from _judgements(report)
    yield from _statements(report.statements)
    yield from _notices(report.notices)
    for unreadable in report.unreadable:
        yield ""
        yield f"Could not be read since {_clock(unreadable.since)}: {unreadable.feed}: {unreadable.what}"
    yield ""
    yield "What this stands on:"
    yield from _basis(report)


def _judgements(report: "AdvisoryReport") -> Iterator[str]:
    """How bad it is said to be, and whether it is exploited."""
    if report.exploited is not None:
        facts = report.exploited.facts
        due = f"; to be dealt with by {facts['Due']}" if "Due" in facts else ""
        yield ""
        yield f"Known to be exploited (KEV), since {_day(report.exploited.published)}{due}"
        if action := facts.get("Action"):
            yield f"  {_line(action)}"
    if report.severities or report.epss:
        yield ""
    for one in report.severities:
        yield f"{one.scheme}: {one.value} ({one.feed})"
    if report.epss is not None:
        share = "" if report.epss.percentile is None else f", more than {report.epss.percentile:.0%} of all"
        yield f"EPSS: {report.epss.probability:.1%} within 30 days{share}"


def _notices(notices: "tuple[RecordReport, ...]") -> Iterator[str]:
    if not notices:
        return
    yield ""
    yield "Notices that speak of it:"
    for record in notices[:NOTICES_SHOWN]:
        yield f"  {record.id}  {_day(record.published)}  {_line(record.title or record.description)}"
    if len(notices) > NOTICES_SHOWN:
        yield f"  and {len(notices) - NOTICES_SHOWN} more"


def _basis(report: "AdvisoryReport") -> Iterator[str]:
    rows = [
        [one.feed, one.state, f"{age(one.current_at, report.as_of)} before", _day(one.published_at)]
        for one in report.basis
    ]
    if rows:
        yield from plain_table(_BASIS, rows)
    else:
        yield "  nothing: no feed was ever taken in by then"


def _record(record: "RecordReport") -> Iterator[str]:
    yield ""
    withdrawn = f", withdrawn {_day(record.withdrawn)}" if record.withdrawn else ""
    yield f"{record.id} ({record.feed}), published {_day(record.published)}{withdrawn}"
    if record.title:
        yield f"  {_line(record.title)}"
    if record.description:
        yield f"  {_line(record.description)}"
    for name, ids in (("about", record.cves), ("upstream", record.upstream), ("related", record.related)):
        if ids and ids != (record.id,):
            more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
            yield f"  {name}: {', '.join(ids[:IDS_SHOWN])}{more}"
    if instructions := record.facts.get("Instructions"):
        yield f"  what to do: {_line(instructions)}"


def _statements(statements: "tuple[StatementReport, ...]") -> Iterator[str]:
    if not statements:
        return
    rows = [
        [
            " ".join(filter(None, (one.distribution, one.release, one.pocket))),
            one.package,
            " ".join(filter(None, (one.status, one.urgency and f"({one.urgency})"))),
            one.fixed or "",
            f"{one.feed} {one.record}",
            _clock(one.since),
        ]
        for one in statements
    ]
    yield ""
    yield from plain_table(_STATEMENTS, rows)


def _line(text: str) -> str:
    """Text of a feed on one line, without anything that a terminal would obey."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(shown.split())
    return line if len(line) <= TEXT_SHOWN_CHARS else line[: TEXT_SHOWN_CHARS - 1] + "…"


def _clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _day(at: int | None) -> str:
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
