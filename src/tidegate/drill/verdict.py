"""What was measured, held against what was expected. Pure."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tidegate.drill.measures import MEASURES
from tidegate.drill.scenario import Expect


class Verdict(Struct, frozen=True, kw_only=True):
    """One expectation, and what came of it."""

    measure: str
    meaning: str
    expected: Annotated[str, Meta(description="`at least 100`, `at most 0`, or both")]
    measured: Annotated[float | None, Meta(description="null: it could not be measured here")]
    verdict: Literal["passed", "failed", "unknown"]


def judge(
    expectations: Iterable[Expect], measured: Mapping[str, float], ground: Literal["lab", "live"] = "lab"
) -> tuple[Verdict, ...]:
    """Each that is expected on this ground, by itself. What was not measured is unknown, never passed."""
    here = [one for one in expectations if one.ground in ("both", ground)]
    return tuple(
        _judged(one, _value(one.measure, measured))
        for one in here
        if ground == "lab" or MEASURES[one.measure.partition(":")[0]].live
    )


def overall(verdicts: Iterable[Verdict]) -> Literal["passed", "failed"]:
    """Passed only if each one did."""
    return "passed" if all(one.verdict == "passed" for one in verdicts) else "failed"


def _value(measure: str, measured: Mapping[str, float]) -> float | None:
    """What was counted and never seen is 0."""
    return measured.get(measure, 0.0 if MEASURES[measure.partition(":")[0]].takes else None)


def _meaning(measure: str) -> str:
    """Of one that counts something, without how it is written."""
    found = MEASURES[measure.partition(":")[0]]
    return found.meaning.partition(": ")[2] if found.takes else found.meaning


def _judged(expect: Expect, value: float | None) -> Verdict:
    bounds = [
        f"at least {expect.at_least:g}" if expect.at_least is not None else "",
        f"at most {expect.at_most:g}" if expect.at_most is not None else "",
    ]
    verdict: Literal["passed", "failed", "unknown"] = "unknown"
    if value is not None:
        fits = (expect.at_least is None or value >= expect.at_least) and (
            expect.at_most is None or value <= expect.at_most
        )
        verdict = "passed" if fits else "failed"
    return Verdict(
        measure=expect.measure,
        meaning=_meaning(expect.measure),
        expected=", ".join(filter(None, bounds)),
        measured=value,
        verdict=verdict,
    )
