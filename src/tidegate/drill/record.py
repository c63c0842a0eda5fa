"""What was seen in a drill: by the clients, at the sources, and of the gateway. Values."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a client and how it was answered. Moments are epoch seconds."""

    at: float
    until: float
    status: int
    """0: there was no whole answer."""
    bytes: int
    is_right: bool
    """Whole, and listed by a signed publication."""
    is_used: bool
    """Of what the fleet uses."""
    path: str
    how: str = ""
    """The word in X-Tidegate."""
    digest: str = ""
    """SHA-256 of the body, where it came whole with 200."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the real apt says it got. Moments are epoch seconds."""

    at: float
    until: float
    status: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Given:
    """A request that a source got, and what it gave, as the source itself counted it."""

    source: str
    at: float
    path: str
    status: int
    """0: no head was sent."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the real apt: `apt-get update`, then a download of what the fleet uses."""

    at: float
    until: float
    ok: bool
    answers: tuple[Answer, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood at a moment (seconds by the clock from the beginning)."""

    clock_s: float
    story_s: float
    requests: int
    served: int
    served_generation: int
    """The newest publication that a client was given."""
    best_generation: int
    """The newest that a source without a fault has; 0: there is none such."""
    sources: tuple[str, ...]
    """State of each, as the gateway sees it."""


@dataclass(frozen=True, slots=True)
class Staging:
    """A step of the scenario, as it was played."""

    clock_s: float
    story_s: float
    what: Literal["fault", "healed", "publish", "note"]
    text: str


@dataclass(slots=True)
class Record:
    """All of it, growing."""

    lanes: tuple[str, ...] = ()
    """The sources, as samples have their states."""
    began_at: float = 0.0
    ended_at: float = 0.0
    requests: list[Request] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    given: tuple[Given, ...] = ()
    samples: list[Sample] = field(default_factory=list)
    steps: list[Staging] = field(default_factory=list)
    uncompressed_s: float = 0.0
    """How long the gateway took to start and to adopt before anything was wrong, and what a look in vain may take."""
    behind_s: float = 0.0
    """The longest that what was served was behind, seconds by the clock."""
    first_fault_at: float | None = None
