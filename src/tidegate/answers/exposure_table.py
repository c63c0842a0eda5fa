"""The fleet's exposure as rows: one for each host, CVE and package."""

from collections.abc import Iterable, Iterator

from tidegate.answers.age import moment
from tidegate.answers.openvex import Judged
from tidegate.answers.table import Cell, lines
from tidegate.fleet.verdict import Finding, Untriaged

HEADING = (
    "host", "name", "cve", "package", "version", "class", "fixed", "pocket", "status", "since", "reason", "binaries",
    "mitigations", "held_back", "as_of", "feed_at", "unknown_since",
)  # fmt: skip


def exposure_lines(judged: Iterable[Judged]) -> Iterator[str]:
    """CSV. A host of which nothing was found has a row of its own: whether that is known, its class says."""
    return lines(HEADING, (row for host in judged for row in _rows(host)))


def _rows(host: Judged) -> Iterator[tuple[Cell, ...]]:
    verdict = host.verdict
    found: tuple[Finding | Untriaged, ...] = (*verdict.findings, *verdict.untriaged)
    for one in found:
        yield (*_of(host, one), *_age(host))
    if not found:
        word = "none" if verdict.clean else "unknown"
        why = "; ".join((*verdict.why, *verdict.gaps))
        yield (verdict.host, host.name, None, None, None, word, *(None,) * 4, why, *(None,) * 3, *_age(host))


def _of(host: Judged, one: Finding | Untriaged) -> tuple[Cell, ...]:
    who = host.verdict.host, host.name, one.about, one.package
    if isinstance(one, Untriaged):
        return (*who, None, "untriaged", None, None, one.status.value, moment(one.since), *(None,) * 4)
    mitigations = " ".join(f"{each.notice}:{each.effect.value}" for each in one.mitigations)
    return (
        *who, one.version, one.exposure.value, one.fixed, one.pocket or None, one.status.value, moment(one.since),
        one.reason, " ".join(one.binaries), mitigations or None, "yes" if one.held_back else "no",
    )  # fmt: skip


def _age(host: Judged) -> tuple[Cell, ...]:
    verdict = host.verdict
    return tuple(None if at is None else moment(at) for at in (verdict.at, verdict.feed_at, verdict.unknown_since))
