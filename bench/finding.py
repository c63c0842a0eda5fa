"""What an experiment hands back, and how it reports its progress."""

import sys
import time
from dataclasses import dataclass

from bench.series import Series, Target


@dataclass(frozen=True, slots=True)
class Finding:
    """Figures, the bounds they are held to, the settings of every peer, and what went other than meant."""

    series: tuple[Series, ...]
    targets: tuple[Target, ...]
    settings: dict[str, str]
    notes: tuple[str, ...] = ()


def say(text: str) -> None:
    """A line of progress, for whoever waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
