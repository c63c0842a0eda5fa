"""What people wrote into a post-mortem: found in the file as it is, and kept when the rest is made anew. Pure.

A place to write in is all between `<!-- human:KEY -->` and `<!-- /human:KEY -->`; both Markdown and HTML hide these.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_BEGIN = re.compile(r"<!-- human:([a-z0-9-]{1,40}) -->")


class UnclosedError(Exception):
    """A place begins and does not end: whoever edited the file took its end away."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"the place human:{key} begins and does not end")


class Block(NamedTuple):
    """What stands between two marks, as it is."""

    key: str
    text: str


def marked(key: str, text: str) -> str:
    """A place with what stands in it."""
    return f"<!-- human:{key} -->{text}<!-- /human:{key} -->"


def blocks(text: str) -> Iterator[Block]:
    """Every place in a file, in order. Raises UnclosedError."""
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        key, end = begin[1], text.find(f"<!-- /human:{begin[1]} -->", begin.end())
        if end < 0:
            raise UnclosedError(key)
        yield Block(key, text[begin.end() : end])
        at = end


def kept(before: str) -> tuple[Mapping[str, str], tuple[Block, ...]]:
    """By key, what people wrote; and what stands under a key for the second time. Raises UnclosedError."""
    first: dict[str, str] = {}
    again: list[Block] = []
    for block in blocks(before):
        if block.key in first:
            again.append(block)
        else:
            first[block.key] = block.text
    return first, tuple(again)
