"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.answer import (
    BLOCK_BYTES,
    REASONS,
    SILENCE_S,
    TRICKLE_TICK_S,
    ZEROS_BYTES,
    Answer,
    Framing,
    GoneError,
    Request,
    Stage,
    Style,
    reset,
)

__all__ = [
    "BLOCK_BYTES",
    "REASONS",
    "SILENCE_S",
    "TRICKLE_TICK_S",
    "ZEROS_BYTES",
    "Answer",
    "Framing",
    "GoneError",
    "Request",
    "Stage",
    "Style",
    "reset",
]
