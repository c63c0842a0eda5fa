"""An event in a sentence, for whoever reads a timeline at three in the morning. Pure."""

from collections.abc import Callable, Mapping

from tidegate.store.journal import Event
from tidegate.trust.verdict import utc


def told(event: Event) -> str:
    """The sentence; of a kind that has none, its evidence."""
    tell = _SENTENCES.get(event.kind)
    if tell is not None:
        return tell(event)
    data = ", ".join(f"{name} {value}" for name, value in event.data.items())
    return f"{event.kind} {event.subject}: {data}" if data else f"{event.kind} {event.subject}"


def span(seconds: float) -> str:
    """A length of time in its two largest units: `15 h 12 min`."""
    whole = max(0, round(seconds))
    parts = ((whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    shown = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(shown[:2]) or "0 s"


def _of(event: Event, name: str) -> str:
    return str(event.data.get(name, "?"))


def _number(event: Event, name: str) -> float:
    value = event.data.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _moment(event: Event, name: str) -> str:
    return utc(int(_number(event, name)))


def _source_state(event: Event) -> str:
    if event.data.get("after") == "closed":
        return f"{event.subject} is well again"
    return f"{event.subject} is left alone: {_of(event, 'reason')}"


def _failover(event: Event) -> str:
    at = int(_number(event, "at_byte"))
    where = f"at byte {at:,}" if at else "from the start"
    return f"{_of(event, 'to')} went on for {event.subject} {where}: {_of(event, 'reason')}"


def _last_operator(event: Event) -> str:
    left = event.data.get("operator") or "none"
    return f"{event.subject}: of {_of(event, 'operators')} operators {left} is left that answers"


def _served(event: Event) -> str:
    return (
        f"{_number(event, 'requests'):,.0f} requests were answered, {_number(event, 'lacking'):,.0f} refused for lack"
    )


def _readiness(event: Event) -> str:
    return (
        f"readiness went from {_of(event, 'before')} to {_of(event, 'after')}: {_of(event, 'reason') or 'all is held'}"
    )


def _watch_up(event: Event) -> str:
    lasted = _number(event, "down_s")
    return f"{event.subject} ({_of(event, 'url')}) answers again{f', after {span(lasted)}' if lasted else ''}"


def _by(event: Event) -> str:
    return f"{_of(event, 'by')}: {_of(event, 'text')}"


def _claim(event: Event) -> str:
    whom = event.data.get("attributes_to")
    what = f", which holds {whom} responsible" if whom else ""
    return f"claim {_of(event, 'claim')} by {_of(event, 'said_by')}{what} (not a fact; {_of(event, 'status')})"


def _revised(event: Event) -> str:
    return f"claim {_of(event, 'claim')} is now {_of(event, 'status')}, confidence {_of(event, 'confidence')} of 100"


_SENTENCES: Mapping[str, Callable[[Event], str]] = {
    "started": lambda e: f"the gateway started (version {_of(e, 'version')})",
    "stopped": lambda _: "the gateway stopped in good order",
    "served": _served,
    "readiness": _readiness,
    "adopted": lambda e: f"{e.subject}: the Release of {_moment(e, 'date')} is served, from {_of(e, 'source')}",
    "refused": lambda e: f"{e.subject}: the Release of {_of(e, 'source')} was refused: {_of(e, 'reason')}",
    "source-failed": lambda e: f"{e.subject}: {_of(e, 'source')} gave no Release: {_of(e, 'reason')}",
    "held-back": lambda e: f"{e.subject}: a newer Release waits: {_of(e, 'reason')}",
    "incomplete": lambda e: f"{e.subject}: a newer Release could not be had whole: {_of(e, 'reason')}",
    "failed": lambda e: f"{e.subject}: a look failed: {_of(e, 'reason')}",
    "behind": lambda e: f"{e.subject}: {_of(e, 'source')} is {span(_number(e, 'behind_s'))} behind",
    "split-view": lambda e: (
        f"{e.subject}: {_of(e, 'source')} and {_of(e, 'other_source')} show different Releases of {_moment(e, 'date')}"
    ),
    "possible-freeze": lambda e: f"{e.subject}: {_of(e, 'reason')}",
    "suite-expired": lambda e: f"{e.subject}: what is served is past its Valid-Until, {_moment(e, 'valid_until')}",
    "freshness-lost": lambda e: f"{e.subject}: nobody has shown it to be the newest since {_moment(e, 'confirmed_at')}",
    "freshness-confirmed": lambda e: f"{e.subject}: shown to be the newest again, by {_of(e, 'confirmed_by')}",
    "source-state": _source_state,
    "violation": lambda e: f"{e.subject} gave wrong bytes, which nobody got: {_of(e, 'reason')}",
    "failover": _failover,
    "fetch-failed": lambda e: f"no source could give {e.subject[:12]}…: {_of(e, 'reason')}",
    "alone-begun": lambda e: (
        f"{e.subject}: none of its {_of(e, 'sources')} sources has answered since {_moment(e, 'since')}"
    ),
    "alone-ended": lambda e: f"{e.subject}: a source answers again, after {span(_number(e, 'duration_s'))}",
    "last-operator-begun": _last_operator,
    "last-operator-ended": lambda e: (
        f"{e.subject}: several operators answer again, after {span(_number(e, 'duration_s'))}"
    ),
    "store-full": lambda e: f"the store is full of what is needed: {_of(e, 'reason')}",
    "store-has-room": lambda _: "the store has room again",
    "bit-rot": lambda e: (
        f"a file of {_number(e, 'size'):,.0f} bytes had changed on the disk and was removed;"
        f" {'it was fetched again' if e.data.get('fetched_again') else 'it is not held any more'}"
    ),
    "feed-stale": lambda e: f"{e.subject}: what it says is {span(_number(e, 'age_s'))} old: {_of(e, 'reason')}",
    "feed-fresh": lambda e: f"{e.subject} is fresh again",
    "watch-down": lambda e: f"{e.subject} ({_of(e, 'url')}) is down, seen from here: {_of(e, 'reason')}",
    "watch-up": _watch_up,
    "watch-not-asked": lambda e: f"{e.subject} ({_of(e, 'url')}) is not asked: {_of(e, 'reason')}",
    "incident-note": _by,
    "incident-action": _by,
    "incident-closed": lambda e: f"{_of(e, 'by')} closed it: {_of(e, 'text')}",
    "claim": _claim,
    "claim-revised": _revised,
}
