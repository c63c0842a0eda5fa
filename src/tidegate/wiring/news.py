"""What a running gateway tells, a fact at a time: for the terminal or a structured log."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class News:
    """`level` is info, warning or error; `event` a word; `text` the sentence; `data` the same for machines."""

    level: str
    event: str
    text: str
    data: dict[str, str | int | float | None] = field(default_factory=dict)


Tell = Callable[[News], None]
