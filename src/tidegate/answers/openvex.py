"""The fleet's exposure as one OpenVEX document (github.com/openvex/spec, 0.2.0): statements on hosts' packages.

A product is a host, and its component the package, by its purl. Our six classes become OpenVEX's statuses: what is
known to be open is `affected`, with what to do; what is not known is `under_investigation`, and never `not_affected`.
The schema allows no member of our own, so how old it all is stands in `tooling` and in the headers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from tidegate.answers.age import Age, moment
from tidegate.fleet.verdict import Dormant, Effect, Exposure, Finding, Untriaged, Verdict

CONTEXT = "https://openvex.dev/ns/v0.2.0"
STATEMENTS_MAX = 1_000_000
"""In one document."""

Json = dict[str, object]

_ACTIONS = {
    Exposure.FIXABLE: "Update to the fixed version, which can be had here now.",
    Exposure.NOT_HELD: "Update to the fixed version once it can be had; it is not held here.",
    Exposure.MITIGATION_ONLY: "Apply the mitigation; no fix was published.",
    Exposure.NO_FIX: "No fix was published for this host.",
    Exposure.NOT_RUNNING: "Restart: the fixed kernel is installed and does not run.",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and what its host is: the purls need it."""

    verdict: Verdict
    distribution: str
    release: str
    name: str = ""


class TooManyStatementsError(Exception):
    """A document would have more than STATEMENTS_MAX. What went out of it is no JSON, so nobody takes it for all."""


def document(judged: Iterable[Judged], age: Age, *, identity: str, author: str) -> Iterator[bytes] | None:
    """All of the verdicts, piece by piece; None where there is nothing to state, which the schema has no form for.

    `identity` is the document's own IRI, `author` who answers for it. The pieces may raise TooManyStatementsError.
    """
    statements = (one for host in judged for one in statements_of(host))
    first = next(statements, None)
    if first is None:
        return None
    head: Json = {
        "@context": CONTEXT,
        "@id": identity,
        "author": author,
        "timestamp": moment(age.at),
        "version": 1,
        "tooling": f"tidegate; {age.sentence or f'from data that were current at {moment(age.feed_at or 0)}'}",
    }
    return _pieces(head, first, statements)


def _pieces(head: Json, first: Json, others: Iterator[Json]) -> Iterator[bytes]:
    encode = msgspec.json.encode
    yield encode(head)[:-1] + b',"statements":[' + encode(first)
    for number, one in enumerate(others, 2):
        if number > STATEMENTS_MAX:
            raise TooManyStatementsError(f"more than {STATEMENTS_MAX} statements")
        yield b"," + encode(one)
    yield b"]}"


def statements_of(host: Judged) -> Iterator[Json]:
    """What is found about one host."""
    verdict = host.verdict
    for finding in verdict.findings:
        yield _finding(host, finding)
    for untriaged in verdict.untriaged:
        yield _untriaged(host, untriaged)
    for dormant in verdict.dormant:
        yield _dormant(host, dormant)


def _finding(host: Judged, found: Finding) -> Json:
    packages = [_purl(host, binary, found.version) for binary in found.binaries or (found.package,)]
    base = _statement(host, found.about, packages, found.since)
    if found.exposure is Exposure.UNKNOWN:
        return {**base, "status": "under_investigation", "status_notes": found.reason}
    mitigations = [
        f"{one.notice}: {one.package} {one.version} ({one.effect.value}: {one.reason})" for one in found.mitigations
    ]
    fixed = f" Fixed in {found.package} {found.fixed}." if found.fixed else ""
    action = _ACTIONS[found.exposure] + fixed
    return {
        **base,
        "status": "affected",
        "status_notes": "; ".join([found.reason, *mitigations]),
        "action_statement": action + _in_force(found),
        "action_statement_timestamp": moment(host.verdict.at),
    }


def _in_force(found: Finding) -> str:
    effective = [one for one in found.mitigations if one.effect is Effect.EFFECTIVE]
    return f" The mitigation of {effective[0].notice} is in force." if effective else ""


def _untriaged(host: Judged, found: Untriaged) -> Json:
    package = _purl(host, found.package, "", kind="source")
    notes = f"The vendor has not told yet ({found.status.value})."
    return {**_statement(host, found.about, [package], found.since), "status": "under_investigation",
            "status_notes": notes}  # fmt: skip


def _dormant(host: Judged, found: Dormant) -> Json:
    """Installed and not running: nothing is open, until somebody starts it."""
    package = _purl(host, f"linux-image-{found.kernel}", found.version)
    return {
        **_statement(host, found.about, [package], None),
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
        "impact_statement": f"The kernel {found.kernel} is installed and does not run.",
    }


def _statement(host: Judged, about: str, packages: Iterable[str], since: int | None) -> Json:
    timed: Mapping[str, object] = {} if since is None else {"timestamp": moment(since)}
    components = [{"@id": purl, "identifiers": {"purl": purl}} for purl in dict.fromkeys(packages)]
    product = {"@id": f"urn:tidegate:host:{quote(host.verdict.host, safe='')}", "subcomponents": components}
    return {"vulnerability": {"name": about}, "products": [product], **timed, "last_updated": moment(host.verdict.at)}


def _purl(host: Judged, package: str, version: str, *, kind: str = "") -> str:
    purl = f"pkg:deb/{quote(host.distribution, safe='')}/{quote(package, safe='')}"
    purl += f"@{quote(version, safe='')}" if version else ""
    qualifiers = [f"arch={kind}"] if kind else []
    qualifiers.append(f"distro={quote(host.release, safe='')}")
    return purl + "?" + "&".join(qualifiers)
