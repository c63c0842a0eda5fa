"""What a CVSS vector comes to, as answers tell it: the score, its word, and of CVSS 3 the metrics."""

from collections.abc import Iterable
from dataclasses import dataclass

import cvss

from tidegate.advisories.statement import Severity

_NEWEST = ("CVSS_V4", "CVSS_V3")


@dataclass(frozen=True, slots=True)
class Base:
    """A vector's base score, 0 to 10, with FIRST's word for it. The rest is of CVSS 3 only."""

    scheme: str
    vector: str
    score: float
    rating: str
    metrics: tuple[tuple[str, str], ...] = ()
    exploitability: float = 0.0
    impact: float = 0.0


def best(severities: Iterable[Severity], schemes: tuple[str, ...] = _NEWEST) -> Base | None:
    """The first vector that can be read, of the first scheme that there is one of."""
    found = tuple(severities)
    for scheme in schemes:
        for one in found:
            if one.scheme == scheme and (base := _base(scheme, one.value)) is not None:
                return base
    return None


def _base(scheme: str, vector: str) -> Base | None:
    try:
        if scheme == "CVSS_V4":
            newer = cvss.CVSS4(vector)
            return Base(scheme, vector, float(newer.base_score), newer.severity.lower())
        known = cvss.CVSS3(vector)
    except (cvss.CVSSError, ValueError):
        return None
    return Base(
        scheme,
        vector,
        float(known.base_score),
        known.severities()[0].lower(),
        tuple(known.original_metrics.items()),
        round(float(known.esc), 1),
        round(max(float(known.isc), 0.0), 1),
    )
