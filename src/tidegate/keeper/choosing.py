"""Which Release a look may take, of those that sources showed. Pure: answers in, choices and sentences out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.keeper.release_files import Answer, Asking, Statement
from tidegate.sources.archive import Source
from tidegate.sources.failure import Excluded, FetchError
from tidegate.sources.fetching import Unchanged
from tidegate.trust.verdict import Refused, utc


@dataclass(frozen=True, slots=True)
class Heard:
    """A source's answer."""

    source: Source
    answer: Answer


@dataclass(frozen=True, slots=True)
class Choice:
    """A Release that could be served, the statements that bring it, and the operators that show it.

    Without a statement it is the one that is served.
    """

    date: int
    payload: bytes
    statements: tuple[Statement, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rules for a Release that is newer than what is served."""

    needed: int
    """Operators that have to show it."""
    wait_s: float
    """It is taken all the same after so long."""
    waited_s: Callable[[], float]
    """For so long it has been shown; asked only where it has to wait."""


def choices(
    asking: Asking, heard: Sequence[Heard], operators: Callable[[bytes], tuple[str, ...]]
) -> tuple[Choice, ...]:
    """What was acceptable, the newest first; of two with one Date, what more operators show."""
    statements: dict[bytes, list[Statement]] = {}
    dates: dict[bytes, int] = {}
    for one in heard:
        match one.answer:
            case Statement() as statement:
                mark = statement.accepted.mark
                statements.setdefault(mark.digest, []).append(statement)
                dates[mark.digest] = mark.date
            case Unchanged() if asking.served is not None:
                statements.setdefault(asking.served.payload, [])
                dates[asking.served.payload] = asking.served.date
            case _:
                pass
    found = (Choice(dates[payload], payload, tuple(said), operators(payload)) for payload, said in statements.items())
    return tuple(sorted(found, key=lambda choice: (-choice.date, -len(choice.operators))))


def is_served(asking: Asking, choice: Choice) -> bool:
    """Whether it is what is served already."""
    return asking.served is not None and asking.served.payload == choice.payload


def held_back(asking: Asking, choice: Choice, among: Sequence[Choice], waiting: Waiting) -> str:
    """Why a newer Release does not replace yet what is served; empty where it may.

    Never where nothing is served, nor for one that was accepted before. Of two with one Date the one that more
    operators show is taken, and the other never beside it.
    """
    if asking.served is None or (asking.mark is not None and asking.mark.digest == choice.payload):
        return ""
    has_rival = any(
        other.date == choice.date and len(other.operators) >= len(choice.operators)
        for other in among
        if other is not choice
    )
    if not has_rival and len(choice.operators) >= waiting.needed:
        return ""
    left_s = waiting.wait_s - waiting.waited_s()
    if left_s <= 0:
        return ""
    until = utc(asking.now + int(left_s))
    if has_rival:
        return f"two Releases carry the Date {utc(choice.date)}: what is served stays until {until}"
    shown = f"{len(choice.operators)} of {waiting.needed} operators show it (quorum)"
    return f"the Release of {utc(choice.date)} waits until {until} at the latest: {shown}"


def passed_over(asking: Asking, heard: Sequence[Heard]) -> tuple[Excluded, ...]:
    """Why each source's answer did not do."""
    reasons = []
    for one in heard:
        match one.answer:
            case FetchError() as error:
                reasons.append(Excluded(one.source.url, str(error)))
            case Refused(reason, evidence):
                reasons.append(Excluded(one.source.url, f"{reason}: {evidence}"))
            case Unchanged() if asking.served is not None and asking.mark is not None:
                if asking.served.date < asking.mark.date:
                    seen = utc(asking.mark.date)
                    reasons.append(Excluded(one.source.url, f"still shows what is served; {seen} was seen before"))
            case _:
                pass
    return tuple(reasons)
