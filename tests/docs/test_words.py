"""Words that the project must not have: paths of the machine it was written on, and hosts that are not its business."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import ROOT

# Each in two halves, so that this file is none of those it looks for.
UNWANTED = (
    "/wo" + "rk/",
    "/ro" + "ot/",
    "deb." + "debian.org",
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
)
NOT_OURS = {".git", ".venv", ".hypothesis", ".coverage", "__pycache__", "dist", "out", "cache", "state"}
FILE_BYTES_MAX = 4 << 20


def files() -> Iterator[Path]:
    """What the project consists of: neither caches nor what runs leave behind."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache")]
        yield from (Path(folder, name) for name in names if name not in NOT_OURS)


def lines_with(word: str) -> list[str]:
    """Where a word stands."""
    found = []
    for path in files():
        try:
            data = path.read_bytes() if path.stat().st_size <= FILE_BYTES_MAX else b""
        except FileNotFoundError:  # what a tool beside us made for a moment
            continue
        if word.encode() in data:
            found += [
                f"{path.relative_to(ROOT)}:{number}"
                for number, line in enumerate(data.split(b"\n"), start=1)
                if word.encode() in line
            ]
    return found


@pytest.mark.parametrize("word", UNWANTED)
def test_a_word_that_does_not_belong_here_is_nowhere(word: str) -> None:
    assert lines_with(word) == []


def test_the_search_would_find_one() -> None:
    assert "README.md:1" in lines_with("# Tide" + "gate")
