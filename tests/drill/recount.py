"""A drill's files, counted again: by what clients and sources counted, by gpgv, by sha256sum, and by nothing of ours.

`--out` leaves one line for each request of a host (hosts.jsonl), each answer of the real apt (apt.jsonl), each request
that a source got (sources.jsonl) and each event (journal.jsonl).
"""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle import Oracle

SUITE = "noble-security"
IN_RELEASE = f"dists/{SUITE}/InRelease"
WELL = (200, 206, 304)
SLACK_S = 2.0
"""Between what happened at a source and the event that says so."""
SUMS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Story:
    """What was written down by whom."""

    lab: Path
    report: Any
    hosts: list[Any]
    apt: list[Any]
    sources: list[Any]
    events: list[Any]
    postmortem: str

    def of(self, kind: str) -> list[Any]:
        """Events of a kind."""
        return [one for one in self.events if one["kind"] == kind]

    def staged_at(self, what: str, text: str) -> float:
        """When a step was played, for the last time (epoch seconds)."""
        played = [one for one in self.report["steps"] if one["what"] == what and text in one["text"]]
        return float(self.report["began_at"] + played[-1]["clock_s"])


def story(lab: Path, out: Path, incident: str) -> Story:
    """All of it, with the post-mortem of this incident."""
    counted = {name: _lines(out / f"{name}.jsonl") for name in ("hosts", "apt", "sources", "journal")}
    report = json.loads((out / "report.json").read_text())
    told = (out / f"postmortem-{incident}.md").read_text()
    return Story(lab, report, counted["hosts"], counted["apt"], counted["sources"], counted["journal"], told)


def everything_was_served_and_no_byte_was_wrong(told: Story) -> None:
    """Each answer of a host is whole, and what gpgv and sha256sum account for; no host ever went back."""
    assert {one["status"] for one in told.hosts} <= {200, 304}
    assert {one["status"] for one in told.apt} <= set(WELL)
    generations = sorted((told.lab / "vendor/generations").iterdir())
    oracle = Oracle(told.lab / "vendor.gpg", generations[-1], (SUITE,))
    for tree in generations:
        oracle.admit(tree)
    files = _digests(generations)
    for one in told.hosts:  # in their order: the judge notices a Release that is older than one before
        if one["status"] == 200:
            found = files.get((one["path"], one["digest"]))
            assert found is not None, f"{one['path']}: nobody published {one['digest']}"
            assert found.stat().st_size == one["bytes"]
            oracle.check(one["path"], found.read_bytes())
    assert oracle.checked > len(told.hosts) / 4


def what_is_told_was_counted(told: Story, since: float, until: float) -> None:
    """The post-mortem's numbers and the drill's, counted again from the clients' own lines."""
    given = [*told.hosts, *told.apt]
    assert sum(one["data"]["requests"] for one in told.of("served")) == len(given)
    assert sum(one["data"]["bytes"] for one in told.of("served")) == sum(map(_octets, given))
    assert sum(one["data"]["lacking"] for one in told.of("served")) == sum(one["status"] >= 400 for one in given) == 0
    within = [one for one in given if since < one["at"] and one["until"] < until]
    touching = [one for one in given if since < one["until"] and one["at"] < until]
    clients = 2  # hosts take turns, and there is one apt: so many requests can be under way at a moment
    assert len(touching) - len(within) <= 2 * clients
    (lacking, requests), *rest = re.findall(r"could not get: ([\d,]+) of ([\d,]+) requests", told.postmortem)
    assert all(each == (lacking, requests) for each in rest)
    (octets,) = set(re.findall(r"were answered, with ([\d,]+) bytes", told.postmortem))
    assert _number(lacking) == 0
    assert len(within) <= _number(requests) <= len(touching)
    assert sum(map(_octets, within)) <= _number(octets) <= sum(map(_octets, touching))


def what_is_told_of_sources_happened_there(told: Story) -> None:
    """Who gave a Release gave it, who answered with an error did, and nobody answered while nobody is said to have."""
    for one in told.of("adopted"):
        gave = [each for each in _at(told, one["data"]["source"], before=one["at"]) if each["path"] == IN_RELEASE]
        assert any(each["status"] == 200 for each in gave), one
    failed = [one for one in told.of("source-failed") if "answered 503" in one["data"]["reason"]]
    assert failed
    for one in failed:
        near = _at(told, one["data"]["source"], before=one["at"], after=one["at"] - SLACK_S)
        assert any(each["status"] == 503 for each in near), one
    (begun,), (ended,) = told.of("alone-begun"), told.of("alone-ended")
    nobody = [each["at"] for each in told.sources if begun["at"] < each["at"] < ended["at"] and each["status"] in WELL]
    assert all(at > ended["at"] - SLACK_S for at in nobody), (begun, ended, nobody)


def _at(told: Story, source: str, *, before: float, after: float = 0.0) -> list[Any]:
    return [one for one in told.sources if one["source"] == source and after < one["at"] < before]


def _digests(trees: Iterable[Path]) -> dict[tuple[str, str], Path]:
    """Each file of these trees by its path and its SHA-256, as sha256sum has it."""
    files = [(str(path.relative_to(tree)), path) for tree in trees for path in tree.rglob("*") if path.is_file()]
    found: dict[tuple[str, str], Path] = {}
    for at in range(0, len(files), SUMS_AT_ONCE):
        some = files[at : at + SUMS_AT_ONCE]
        command = ["sha256sum", "--zero", *(str(path) for _, path in some)]
        said = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        for (name, path), line in zip(some, said.split("\0"), strict=False):
            found[name, line.partition(" ")[0]] = path
    return found


def _octets(one: Any) -> int:
    return int(one["bytes"]) if one["status"] in (200, 206) else 0


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]
