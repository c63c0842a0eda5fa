"""What to close first: exploited at all, then the vendor's priority, then CVSS, then EPSS. Each is shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cvss

from tidegate.advisories.history import Edition
from tidegate.advisories.statement import Kind, Score

SCORES_REMEMBERED = 65_536
PRIORITIES = ("critical", "high", "medium", "low", "negligible", "unimportant")
"""Ubuntu's words and Debian's, the worst first; others say that nobody has judged yet."""
_CVSS = {"CVSS_V4": cvss.CVSS4, "CVSS_V3": cvss.CVSS3, "CVSS_V2": cvss.CVSS2}
_NEWEST = ("CVSS_V4", "CVSS_V3", "CVSS_V3_BASE", "CVSS_V2")


@dataclass(frozen=True, slots=True)
class Rank:
    """`exploited` is when CISA listed it (epoch seconds), `due` until when it wants it closed. `cvss` is a base score
    from 0 to 10, `epss` a probability from 0 to 1; None and empty for what nobody said."""

    exploited: int | None = None
    due: str = ""
    priority: str = ""
    cvss: float | None = None
    epss: float | None = None

    @property
    def key(self) -> tuple[bool, int, float, float]:
        """To sort by: what is to be closed first is greatest."""
        worst = -PRIORITIES.index(self.priority) if self.priority in PRIORITIES else -len(PRIORITIES)
        return self.exploited is not None, worst, self.cvss or -1.0, self.epss or -1.0


def rank_of(mentions: Iterable[Edition], urgencies: Iterable[str], score: Score | None) -> Rank:
    """By all records that speak of a CVE, what statements on it call its urgency, and EPSS."""
    exploited: int | None = None
    due = ""
    priorities = [one.lower() for one in urgencies]
    scores: dict[str, float] = {}
    for edition in mentions:
        record = edition.record
        if record.kind is Kind.EXPLOITED:
            exploited, due = record.published or edition.since, dict(record.facts).get("Due", "")
        elif record.kind is Kind.CVE:
            priorities += [one.value.lower() for one in record.severities if one.scheme == "Ubuntu"]
            for one in record.severities:
                if (found := base_score(one.scheme, one.value)) is not None:
                    scores[one.scheme] = max(found, scores.get(one.scheme, 0.0))
    known = [one for one in priorities if one in PRIORITIES]
    return Rank(
        exploited,
        due,
        min(known, key=PRIORITIES.index, default=""),
        next((scores[one] for one in _NEWEST if one in scores), None),
        score.probability if score else None,
    )


@lru_cache(maxsize=SCORES_REMEMBERED)
def base_score(scheme: str, value: str) -> float | None:
    """CVSS's base score of a vector (first.org/cvss); None for one that is none."""
    try:
        if scheme == "CVSS_V3_BASE":
            return float(value) if 0 <= float(value) <= 10 else None
        known = _CVSS.get(scheme)
        return None if known is None else float(known(value).base_score)
    except (cvss.CVSSError, ValueError):
        return None
