"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.compression import (
    BOMB_BLOCK_BYTES,
    COMPRESSORS,
    ENDINGS,
    bomb,
    compressed,
    decompressed,
    with_ending,
)

__all__ = [
    "BOMB_BLOCK_BYTES",
    "COMPRESSORS",
    "ENDINGS",
    "bomb",
    "compressed",
    "decompressed",
    "with_ending",
]
