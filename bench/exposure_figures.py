"""Figures of a process that measures itself."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

Figures = dict[str, float]


def took(what: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    what()
    return (time.perf_counter() - began) * 1e3


def spread(figures: Figures, name: str, took_ms: Iterable[float]) -> None:
    """The middle value, and that which one in a hundred exceeds."""
    found = sorted(took_ms)
    figures[f"{name}, p50"] = found[len(found) // 2]
    figures[f"{name}, p99"] = found[min(len(found) - 1, len(found) * 99 // 100)]


def memory_mb(field: str) -> float:
    """VmRSS: now; VmHWM: at its highest."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in text.splitlines() if line.startswith(field))
