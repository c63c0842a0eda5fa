"""What is written down of a page that turned. Pure."""

from tidegate.store.journal import Happening, Value
from tidegate.watch.standing import Standing, State, Turn
from tidegate.watch.watch import Watch


def turned(watch: Watch, standing: Standing, turn: Turn, now: float) -> Happening | None:
    """None where it is no news: a page that is up as soon as somebody asks."""
    data: dict[str, Value] = {"url": watch.url}
    since, reason, archive = standing.since or now, standing.reason, watch.settings.archive
    match turn.after:
        case State.DOWN:
            data |= {"archive": archive, "reason": reason, "since": since, "incident": watch.settings.incident}
            return Happening("watch-down", watch.name, data)
        case State.UP if turn.before is not State.UNKNOWN:
            began = turn.since if turn.before is State.DOWN and turn.since is not None else since
            data |= {"archive": archive, "since": since, "down_s": max(0.0, since - began)}
            return Happening("watch-up", watch.name, data)
        case State.NOT_ASKED:
            return not_asked(watch.name, watch.url, reason)
        case _:
            return None


def not_asked(name: str, url: str, reason: str) -> Happening:
    """From now on it is not known."""
    return Happening("watch-not-asked", name, {"url": url, "reason": reason})


def sentence(happening: Happening) -> str:
    """The same, about the page."""
    reason = happening.data.get("reason")
    match happening.kind:
        case "watch-down":
            return f"is down: {reason}"
        case "watch-up":
            return "is up"
        case _:
            return f"is not asked: {reason}"
