"""What can be wrong with a configuration: every problem as data, so that all are told at once."""

import difflib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tidegate.config.lines import KeyPath

Where = Callable[[KeyPath], str]
"""Says where the value at a path was written."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it."""

    what: str
    where: str
    """The file with its line where that is known, or the environment's variable, or the option."""
    key: str
    """The setting's path, such as `archive[ubuntu].source[0].url`; empty for a file as a whole."""
    todo: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.todo}"


class ConfigError(Exception):
    """Settings that cannot be used. `problems` holds every one of them, in the order of the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def problem(path: KeyPath, what: str, todo: str, where_is: Where) -> Problem:
    """A problem with the value at `path`."""
    key = shown_name(path)
    return Problem(f"{key}: {what}", where_is(path), key, todo)


def shown_name(path: KeyPath) -> str:
    """The path as messages show it: `archive[0].source[1].url`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)
