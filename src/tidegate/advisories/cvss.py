"""CVSS 3.0 and 3.1: a vector's metrics and its base score (FIRST's specification, section 7).

Of CVSS 4.0 only the vector is told: its score comes from a table that we do not carry.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.advisories.statement import Severity
from tidegate.archive.errors import FormatError, excerpt

_VECTOR = re.compile(r"CVSS:(3\.[01])((?:/[A-Z]{1,3}:[A-Z])+)")
_ATTACK_VECTOR = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_ATTACK_COMPLEXITY = {"L": 0.77, "H": 0.44}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_INTERACTION = {"N": 0.85, "R": 0.62}
_IMPACT = {"H": 0.56, "L": 0.22, "N": 0.0}
_RATINGS = ((9.0, "CRITICAL"), (7.0, "HIGH"), (4.0, "MEDIUM"), (0.1, "LOW"))


@dataclass(frozen=True, slots=True)
class Base:
    """What a vector's base metrics come to."""

    version: str
    vector: str
    metrics: tuple[tuple[str, str], ...]
    score: float
    exploitability: float
    impact: float

    @property
    def rating(self) -> str:
        """`CRITICAL` to `NONE`."""
        return next((word for least, word in _RATINGS if self.score >= least), "NONE")


def base(vector: str) -> Base:
    """The base score of a vector. Raises FormatError for what is none of 3.0 or 3.1."""
    found = _VECTOR.fullmatch(vector)
    if found is None:
        raise FormatError(f"no CVSS 3 vector: {excerpt(vector)}")
    metrics = [(name, value) for name, _, value in (part.partition(":") for part in found[2][1:].split("/"))]
    known = dict(metrics)
    if len(known) != len(metrics):
        raise FormatError(f"a metric twice: {excerpt(vector)}")
    try:
        changed = {"U": False, "C": True}[known["S"]]
        kept = 1.0
        for name in ("C", "I", "A"):
            kept *= 1 - _IMPACT[known[name]]
        exploitability = (
            8.22
            * _ATTACK_VECTOR[known["AV"]]
            * _ATTACK_COMPLEXITY[known["AC"]]
            * _PRIVILEGES[known["S"]][known["PR"]]
            * _INTERACTION[known["UI"]]
        )
    except KeyError as error:
        raise FormatError(f"no CVSS 3 vector: {excerpt(vector)}, metric {error}") from None
    impact = _impact(1 - kept, changed=changed)
    together = (impact + exploitability) * (1.08 if changed else 1.0)
    score = _rounded_up(min(together, 10.0)) if impact > 0 else 0.0
    return Base(found[1], vector, tuple(metrics), score, round(exploitability, 1), round(max(impact, 0.0), 1))


def best(severities: Iterable[Severity]) -> Base | None:
    """The first vector among a record's severities that can be read; None where there is none."""
    for one in severities:
        if one.scheme == "CVSS_V3":
            try:
                return base(one.value)
            except FormatError:
                continue
    return None


def _impact(lost: float, *, changed: bool) -> float:
    return 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost


def _rounded_up(value: float) -> float:
    """To one decimal, upwards, without the errors of binary fractions (3.1, appendix A)."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
