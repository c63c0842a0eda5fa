"""What each kind of event says: one table, from which docs/journal.md is made, and which the tests hold events to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Type(StrEnum):
    """What a field's value is."""

    TEXT = "text"
    INT = "int"
    NUMBER = "number"
    FLAG = "yes or no"
    TEXT_OR_NOTHING = "text or null"


_TYPES: Mapping[Type, tuple[type, ...]] = {
    Type.TEXT: (str,),
    Type.INT: (int,),
    Type.NUMBER: (int, float),
    Type.FLAG: (bool,),
    Type.TEXT_OR_NOTHING: (str, type(None)),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an event's data."""

    type: Type
    meaning: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event. `others`: data may have further fields, whose names say what they count."""

    name: str
    subject: str
    meaning: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    counters: tuple[str, ...] = ()
    """Fields whose sums outlive the event."""
    others: str = ""
    is_carried: bool = False
    """It is written down again when it would be removed."""


def _text(meaning: str) -> Field:
    return Field(Type.TEXT, meaning)


def _int(meaning: str) -> Field:
    return Field(Type.INT, meaning)


def _number(meaning: str) -> Field:
    return Field(Type.NUMBER, meaning)


_SUITE = "`ARCHIVE SUITE`"
_SOURCE, _REASON = _text("the source's address"), _text("why, in a sentence")
_DATE = _int("the Release's Date, epoch seconds")
_SINCE, _UNTIL = _number("epoch seconds"), _number("epoch seconds")
_BY, _WORDS = _text("who wrote this down"), _text("in their words")

_GATEWAY = (
    Kind(
        "started",
        "`gateway`",
        "a gateway began to serve",
        {
            "version": _text("of Tidegate"),
            "listen": _text("where apt is served"),
            "offline": Field(Type.FLAG, "it connects to nobody"),
        },
    ),
    Kind("stopped", "`gateway`", "it ended in good order; a start without one before it followed a crash"),
    Kind(
        "served",
        "`gateway`",
        "what was answered, by all workers, since the last event of this kind; none while nobody asks",
        {
            "since": _SINCE,
            "until": _UNTIL,
            "requests": _int("answers in all"),
            "bytes": _int("their bodies"),
            "lacking": _int("refused: not held, and not to be had"),
        },
        counters=("requests", "bytes", "lacking"),
        others="`how.HIT`… answers by how they were come by (the word in `X-Tidegate`), `status.200`… by status",
    ),
    Kind(
        "readiness",
        "`gateway`",
        "if every source vanished now, what could be served: the verdict changed",
        {
            "before": _text("`ok`, `warning`, `critical`, or `unknown` at first"),
            "after": _text("the same"),
            "lacking": _int("files that would be asked for and are not held"),
            "reason": _text("the worst finding"),
        },
        others="shares in percent, by name",
    ),
)
_SUITES = (
    Kind(
        "adopted",
        _SUITE,
        "a newer Release is served, whole",
        {
            "source": _SOURCE,
            "date": _DATE,
            "payload": _text("SHA-256 of what was signed"),
            "signers": _text("keys, by comma"),
            "confirmed_by": _text("operators that showed it, by comma"),
        },
    ),
    Kind("refused", _SUITE, "a source's Release was not accepted", {"source": _SOURCE, "reason": _REASON}),
    Kind("source-failed", _SUITE, "a source gave no Release", {"source": _SOURCE, "reason": _REASON}),
    Kind("held-back", _SUITE, "a newer Release waits for a quorum", {"source": _SOURCE, "reason": _REASON}),
    Kind(
        "incomplete",
        _SUITE,
        "a newer Release could not be had whole: an index, or a wanted package",
        {"source": _SOURCE, "reason": _REASON},
    ),
    Kind("failed", _SUITE, "a look failed for a reason of ours", {"source": _SOURCE, "reason": _REASON}),
    Kind(
        "behind",
        _SUITE,
        "a source shows an older Release than another one did",
        {"source": _SOURCE, "date": _DATE, "behind_s": _int("how much older, seconds")},
    ),
    Kind(
        "alarm",
        _SUITE,
        "a Release was accepted, and something about it wants looking into",
        {"source": _SOURCE, "reason": _REASON, "evidence": _text("what was seen")},
    ),
    Kind(
        "split-view",
        _SUITE,
        "two validly signed Releases carry one Date and differ",
        {
            "date": _DATE,
            "payload": _text("SHA-256 of the one"),
            "source": _SOURCE,
            "other_payload": _text("SHA-256 of the other"),
            "other_source": _SOURCE,
        },
    ),
    Kind("possible-freeze", _SUITE, "nothing newer came for suspiciously long", {"date": _DATE, "reason": _REASON}),
    Kind("suite-expired", _SUITE, "what is served is past its Valid-Until", {"date": _DATE, "valid_until": _UNTIL}),
    Kind(
        "freshness-lost",
        _SUITE,
        "nobody has shown what is served to be the newest for too long",
        {"confirmed_at": _int("when somebody last did, epoch seconds"), "limit_s": _number("what is too long")},
    ),
    Kind(
        "freshness-confirmed",
        _SUITE,
        "after it was lost, what is served was shown to be the newest again",
        {"confirmed_at": _int("when, epoch seconds"), "confirmed_by": _text("operators, by comma")},
    ),
    Kind(
        "prefetched",
        _SUITE,
        "packages were fetched before the switch",
        {"packages": _int("how many"), "bytes": _int("their sizes"), "seconds": _number("how long it took")},
    ),
    Kind("prefetch-failed", _SUITE, "nothing could be fetched before the switch", {"reason": _REASON}),
    Kind(
        "adopted-incomplete",
        _SUITE,
        "the switch was made without some wanted packages",
        {
            "date": _DATE,
            "missing": _int("how many"),
            "packages": _text("the first of them"),
            "reason": _REASON,
            "seconds": _number("how long it had waited"),
        },
    ),
    Kind("prefetch-complete", _SUITE, "what was missing at a switch is here now"),
)
_SOURCES = (
    Kind(
        "source-state",
        "the source's address",
        "its breaker opened or closed (docs/breaker.md)",
        {
            "archives": _text("whose source it is, by comma"),
            "operator": _text("who runs it"),
            "before": _text("`closed`, `open` or `half-open`"),
            "after": _text("the same"),
            "cause": Field(Type.TEXT_OR_NOTHING, "`unreachable` or `violation`"),
            "reason": _REASON,
        },
    ),
    Kind(
        "violation",
        "the source's address",
        "it gave wrong bytes, which nobody got",
        {"reason": _REASON, "digest": _text("what was asked for")},
    ),
    Kind(
        "failover",
        "the source that was left",
        "another source went on with a file that this one did not give; the client noticed nothing",
        {
            "archives": _text("whose source it is, by comma"),
            "to": _text("the source that went on"),
            "digest": _text("the file, SHA-256"),
            "at_byte": _int("how much of it was there; 0: it had given nothing"),
            "reason": _REASON,
        },
    ),
    Kind("fetch-failed", "SHA-256 of the file", "no source could give it", {"reason": _REASON}),
    Kind(
        "alone-begun",
        "the archive",
        "none of its sources answers",
        {"since": _SINCE, "sources": _int("how many it has")},
    ),
    Kind(
        "alone-ended", "the archive", "one answers again", {"since": _SINCE, "duration_s": _number("how long it was")}
    ),
    Kind(
        "last-operator-begun",
        "the archive",
        "of several operators one is left that answers, at most",
        {"since": _SINCE, "operator": _text("which; empty: none"), "operators": _int("how many there are")},
    ),
    Kind(
        "last-operator-ended",
        "the archive",
        "several answer again",
        {"since": _SINCE, "duration_s": _number("how long it was")},
    ),
)
_STORE = (
    Kind(
        "removed",
        "why it may go",
        "files were removed to keep house",
        {
            "blobs": _int("how many"),
            "bytes": _int("their sizes"),
            "last_used_at": _number("the latest use of any, epoch seconds"),
            "reason": _REASON,
            "paths": _text("the first of them"),
        },
    ),
    Kind(
        "store-full",
        "`store`",
        "too full, and all of it is needed",
        {"lacking_bytes": _int("what is lacking"), "reason": _REASON},
        others="bytes kept, by why they are",
    ),
    Kind("store-has-room", "`store`", "after it was full, there is room again"),
    Kind(
        "bit-rot",
        "SHA-256 of the file",
        "what was held had changed on the disk, and was removed",
        {"size": _int("bytes"), "fetched_again": Field(Type.FLAG, "it is held again")},
    ),
    Kind("scrub-failed", "`store`", "what is held could not be read again", {"reason": _REASON}),
    Kind(
        "imported",
        "the folder",
        "a cache of apt-cacher-ng was taken over",
        {
            "taken": _int("files"),
            "taken_bytes": _int("their sizes"),
            "held": _int("held already"),
            "unlisted": _int("in no index"),
            "wrong": _int("not what is listed"),
        },
    ),
)
_ADVISORIES = (
    Kind(
        "feed-taken-in",
        "the feed",
        "a source brought something new of it",
        {
            "source": _SOURCE,
            "verified": _text("`signature`, `digest-list`, or `nothing` but TLS"),
            "records": _int("records that it has"),
            "read": _int("of them new, or other than before"),
            "retracted": _int("records that it had and has no more"),
            "statements_changed": _int("statements that began or ended"),
            "problems": _int("records that could not be read, or are there twice"),
            "first_problem": Field(Type.TEXT_OR_NOTHING, "the first of these"),
        },
        counters=("read", "retracted"),
    ),
    Kind("feed-refused", "the feed", "what a source gave was not taken in", {"source": _SOURCE, "reason": _REASON}),
    Kind("feed-failed", "the feed", "nobody brought it; told once for each reason", {"reason": _REASON}),
    Kind("feed-back", "the feed", "it comes again", {"failures": _int("rounds in a row that brought nothing")}),
    Kind(
        "feed-stale",
        "the feed",
        "what it says is too old to be believed",
        {"age_s": _number("how old"), "limit_s": _number("what is too old"), "reason": _REASON},
    ),
    Kind("feed-fresh", "the feed", "after it was too old, it is fresh again", {"age_s": _number("how old")}),
)
_HOOKS = (
    Kind("hook-failed", "its address", "a hook was not told of an incident; tries go on", {"reason": _REASON}),
    Kind("hook-back", "its address", "it hears again", {"failures": _int("tries in a row that failed")}),
)
_WATCHES = (
    Kind(
        "watch-down",
        "the watch",
        "a page that is watched gave so many bad answers in a row (docs/watch.md)",
        {
            "url": _text("its address"),
            "archive": _text("whose vendor's it is; empty: anybody's"),
            "reason": _REASON,
            "since": _number("the first of them, epoch seconds"),
            "incident": Field(Type.FLAG, "it is one by itself"),
        },
    ),
    Kind(
        "watch-up",
        "the watch",
        "after it was down, or was not asked, it answers as it should",
        {
            "url": _text("its address"),
            "archive": _text("whose vendor's it is; empty: anybody's"),
            "since": _number("the first good answer, epoch seconds"),
            "down_s": _number("for how long it had been down"),
        },
    ),
    Kind(
        "watch-not-asked",
        "the watch",
        "from now on nobody is asked, so it is not known",
        {"url": _text("its address"), "reason": _REASON},
    ),
)
_FLEET = (
    Kind("host-removed", "the host's id", "somebody took a host out", {"name": _text("its name")}),
    Kind(
        "two-machines",
        "the host's id",
        "two machines seem to report under one id",
        {
            "one": _text("the one's name"),
            "other": _text("the other's name"),
            "one_boot": _text("the one's boot"),
            "other_boot": _text("the other's boot"),
        },
    ),
    Kind("token-added", "the token's name", "somebody was let report hosts", {"scope": _text("what it allows")}),
    Kind("token-removed", "the token's name", "and no more"),
)
_PEOPLE = (
    Kind("incident-note", "the incident", "somebody wrote something down about it", {"by": _BY, "text": _WORDS}),
    Kind("incident-action", "the incident", "somebody did something about it", {"by": _BY, "text": _WORDS}),
    Kind("incident-closed", "the incident", "somebody says that it is over", {"by": _BY, "text": _WORDS}),
    Kind(
        "claim",
        "the incident",
        "somebody said something about it: not a fact",
        {
            "claim": _text("its name within the incident: `C1`, `C2`…"),
            "said_by": _text("who says it"),
            "url": _text("where; may be empty"),
            "said_at": _text("when, as it was given; may be empty"),
            "text": _text("what they say"),
            "attributes_to": _text("whom they hold responsible; may be empty"),
            "confidence": _int("how far we believe it: 0 to 100"),
            "status": _text("`pending`, `corroborated`, `disputed` or `refuted`"),
            "by": _BY,
        },
    ),
    Kind(
        "claim-revised",
        "the incident",
        "we think otherwise of a claim now",
        {
            "claim": _text("which"),
            "confidence": _int("0 to 100"),
            "status": _text("as above"),
            "text": _text("why"),
            "by": _BY,
        },
    ),
    Kind("drill-begun", "the drill", "what follows under its name was staged", {"scenario": _text("which"), "by": _BY}),
    Kind("drill-ended", "the drill", "it is over", {"verdict": _text("`passed`, `failed` or `stopped`")}),
)
_JOURNAL = (
    Kind(
        "summary",
        "the day (UTC)",
        "stands for events of that day that were removed",
        {"first": _int("the first of them"), "last": _int("the last of them")},
        others="`n.KIND` how many of each kind, `sum.KIND.FIELD` what they had counted",
        is_carried=True,
    ),
)

TABLE = (*_GATEWAY, *_SUITES, *_SOURCES, *_STORE, *_ADVISORIES, *_WATCHES, *_FLEET, *_HOOKS, *_PEOPLE, *_JOURNAL)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in TABLE}


def objection(kind: str, data: Mapping[str, object]) -> str | None:
    """Why an event is not what the table says of its kind; None when it is."""
    known = KINDS.get(kind)
    if known is None:
        return f"there is no kind {kind}"
    for name, one in known.fields.items():
        if name not in data:
            return f"{kind} lacks {name}"
        if name in data and (type(data[name]) is bool) is not (one.type is Type.FLAG):
            return f"{name} of {kind} is not {one.type}"
        if name in data and not isinstance(data[name], _TYPES[one.type]):
            return f"{name} of {kind} is not {one.type}"
    more = data.keys() - known.fields.keys()
    return f"{kind} has {', '.join(sorted(more))}, which the table does not" if more and not known.others else None
