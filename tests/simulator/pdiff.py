"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.pdiff import (
    DIFF_TIMEOUT_S,
    PatchSeries,
    ed_script,
)

__all__ = [
    "DIFF_TIMEOUT_S",
    "PatchSeries",
    "ed_script",
]
