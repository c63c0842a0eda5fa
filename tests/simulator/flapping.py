"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.flapping import (
    JOIN_TIMEOUT_S,
    Flapping,
    Undo,
)

__all__ = [
    "JOIN_TIMEOUT_S",
    "Flapping",
    "Undo",
]
