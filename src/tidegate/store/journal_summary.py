"""What removed events come to, day by day: the journal is bounded, and its long past is not forgotten. Pure.

A summary says which events of a day it stands for, how many there were of each kind (`n.KIND`), and the sums of what
some of them counted (`sum.KIND.FIELD`). Summaries, and incidents of the past, are carried on when their own turn comes.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable

from tidegate.store.journal import Happening
from tidegate.store.journal_chain import Row
from tidegate.store.journal_kinds import KINDS

SUMMARY = "summary"


def summaries(rows: Iterable[Row]) -> list[Happening]:
    """The happenings that stand for these rows."""
    days: dict[tuple[str, str], Counter[str]] = {}
    spans: dict[tuple[str, str], tuple[int, int]] = {}
    carried: list[Happening] = []
    for row in rows:
        kind = KINDS.get(row.kind)
        if kind is not None and kind.is_carried:
            carried.append(Happening(row.kind, row.subject, json.loads(row.data), row.drill))
            continue
        day = time.strftime("%Y-%m-%d", time.gmtime(row.at_us // 1_000_000)), row.drill
        spans[day] = spans.get(day, (row.seq, row.seq))[0], row.seq
        counts = days.setdefault(day, Counter())
        counts[f"n.{row.kind}"] += 1
        if kind is not None and kind.counters:
            data = json.loads(row.data)
            counts.update({f"sum.{row.kind}.{name}": data[name] for name in kind.counters if name in data})
    return carried + [
        Happening(SUMMARY, day, {"first": first, "last": last, **days[day, drill]}, drill)
        for (day, drill), (first, last) in spans.items()
    ]
