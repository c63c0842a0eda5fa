"""What a drill measures, by name. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that comes of a drill. `takes`: its name is followed by a colon and what is counted."""

    meaning: str
    takes: bool = False
    live: bool = True
    """It can be told on live ground as well."""


MEASURES: Mapping[str, Measure] = {
    "served-percent": Measure("of what clients asked of what the fleet uses, the share that came whole, in percent"),
    "wrong-bytes": Measure("bodies given whole that no signed publication lists", live=False),
    "apt-failed": Measure("runs of the real apt that did not end well", live=False),
    "apt-runs": Measure("runs of the real apt; at_least shows that there were any", live=False),
    "behind-refreshes": Measure(
        "for how long what was served was ever behind the newest publication that a working source had, in refreshes:"
        " one is the interval, and what nothing compresses: the time that the gateway took to start and adopt at first,"
        " and a look that waits for sources which do not answer (2.5 s)",
        live=False,
    ),
    "slowest-hit-ms": Measure("the slowest answer of what was held already, milliseconds by the clock", live=False),
    "incidents": Measure("incidents of the drill"),
    "incidents-open": Measure("incidents of the drill that hold at its end"),
    "incidents-unclosed": Measure("incidents of the drill that are not closed at its end"),
    "detected-s": Measure("from the first fault to the first incident that was opened, seconds of the story"),
    "numbers-wrong": Measure(
        "numbers of the journal and of the incidents that are others than those counted at clients and sources",
        live=False,
    ),
    "events": Measure("`events:KIND`: events of this kind in the drill's journal", takes=True),
    "rule": Measure("`rule:NAME`: conditions by this rule of docs/incidents.md", takes=True),
}
