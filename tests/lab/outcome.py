"""How a run of a client ended, judged by others than the client."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.e2e.judging import judge
from tests.lab.tap import Served
from tests.lab.trees import ALIAS, HERALD, NEWEST, Trees
from tests.oracle import Oracle
from tests.realapt import PrivateApt, Result

SAID_MAX = 200


class End(StrEnum):
    """What became of it, from the client's point of view."""

    OK = "ok"
    OLD = "old"  # it says that all is well, and holds what is not the newest
    ERROR = "error"
    WRONG = "wrong"  # it took what no valid signature accounts for
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An end, the seconds that it took, and what the client said of it."""

    end: End
    seconds: float
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether all is well and new."""
        return self.end is End.OK


def of_update(result: Result, apt: PrivateApt, trees: Trees) -> Outcome:
    """What became of an `apt-get update`."""
    found = _judged(result, apt, trees)
    if found.ok and apt.candidate(HERALD) != NEWEST:
        return Outcome(End.OLD, found.seconds)
    return found


def of_install(result: Result, apt: PrivateApt, trees: Trees) -> Outcome:
    """What became of a download."""
    return _judged(result, apt, trees)


def _judged(result: Result, apt: PrivateApt, trees: Trees) -> Outcome:
    seconds = round(result.seconds, 3)
    if result.timed_out:
        return Outcome(End.TIMED_OUT, seconds)
    if not result.ok:
        return Outcome(End.ERROR, seconds, anonymous(_sentence(result), apt.root.parent))
    try:
        judge(apt, trees.archive, trees.oracle())
    except AssertionError as error:
        return Outcome(End.WRONG, seconds, anonymous(str(error), apt.root.parent))
    return Outcome(End.OK, seconds)


def _sentence(result: Result) -> str:
    """The first line that says what went wrong."""
    lines = [line.strip() for line in result.said.splitlines()]
    told = [line for line in lines if line.startswith(("E:", "W:"))] or lines[-1:]
    return told[0] if told else ""


def anonymous(said: str, folder: Path) -> str:
    """A sentence without the places of this machine, at a length that a table bears."""
    for spelling in (str(folder), str(folder).replace("/", "_")):
        said = said.replace(spelling, "")
    return said[:SAID_MAX]


def objections_to(served: list[Served], oracle: Oracle, trees: Trees) -> list[str]:
    """Judge every complete 2xx body (`oracle.checked` counts them); what is not accounted for, in a sentence each."""
    objections = []
    for one in served:
        if not one.complete or one.status not in (200, 206):
            continue
        path = one.target.removeprefix(ALIAS).lstrip("/")
        try:
            if one.status == 206:
                _check_stretch(one, path, oracle, trees)
            else:
                oracle.check(path, one.body)
        except AssertionError as error:
            objections.append(str(error)[:SAID_MAX])
    return objections


def _check_stretch(one: Served, path: str, oracle: Oracle, trees: Trees) -> None:
    whole = trees.archive.read(path)
    oracle.check(path, whole)
    stretch = whole[one.start : one.start + len(one.body)]
    assert stretch == one.body, f"{path}: bytes {one.start} and on are not the file's"
