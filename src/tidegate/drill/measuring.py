"""What a drill came to, in numbers that expectations are held against. Pure."""

from collections import Counter
from collections.abc import Iterable

from tidegate.drill.numbers import Number
from tidegate.drill.record import Record
from tidegate.drill.scenario import Tempo
from tidegate.incidents.incident import Incident
from tidegate.store.journal import Event

HIT = "hit"


def measured(
    record: Record,
    incidents: Iterable[Incident],
    events: Iterable[Event],
    numbers: Iterable[Number],
    *,
    refresh_s: float,
    tempo: Tempo,
) -> dict[str, float]:
    """By the names of `measures.MEASURES`. `events` and `incidents`: those of the drill."""
    incidents = list(incidents)
    used = [one for one in record.requests if one.is_used]
    found: dict[str, float] = {
        "wrong-bytes": sum(1 for one in used if one.status == 200 and not one.is_right),
        "apt-runs": len(record.runs),
        "apt-failed": sum(1 for run in record.runs if not run.ok),
        "behind-refreshes": record.behind_s / (refresh_s + record.uncompressed_s),
        "incidents": len(incidents),
        "incidents-open": sum(1 for one in incidents if one.state == "open"),
        "incidents-unclosed": sum(1 for one in incidents if one.state != "closed"),
        "numbers-wrong": sum(1 for one in numbers if not one.agrees),
    }
    if used:
        found["served-percent"] = 100 * sum(one.is_right for one in used) / len(used)
    hits = [one.until - one.at for one in used if one.how == HIT]
    if hits:
        found["slowest-hit-ms"] = 1_000 * max(hits)
    if incidents and record.first_fault_at is not None:
        detected_at = min(one.detected_at for one in incidents)
        first, then = (tempo.story_s(at - record.began_at) for at in (record.first_fault_at, detected_at))
        found["detected-s"] = max(0.0, then - first)
    kinds = Counter(one.kind for one in events)
    rules = Counter(span.rule for one in incidents for span in one.conditions)
    found |= {f"events:{kind}": count for kind, count in kinds.items()}
    return found | {f"rule:{name}": count for name, count in rules.items()}
