"""Writes the draft of a post-mortem: what the events say, and what they do not. Pure.

Headings are those that site reliability engineers use (Beyer and others, "Site Reliability Engineering", appendix D).
No figure stands here that is not an event's, or a sum of events'.
"""

from collections.abc import Iterator, Sequence

from tidegate.incidents.claims import sentence
from tidegate.incidents.incident import Incident, Remark, Span
from tidegate.incidents.postmortem import Fact, Human, Part, Postmortem, Said, Section, Unknown
from tidegate.incidents.rules import BY_NAME, SEVERITIES, Severity
from tidegate.incidents.telling import span
from tidegate.trust.verdict import utc

CAUSES_MAX = 10
"""Of what went wrong first; the timeline has all."""
PAGES_MAX = 12


def draft(incident: Incident, up_to: int) -> Postmortem:
    """All that can be said of it after event `up_to`."""
    sections = (
        ("Summary", _summary(incident)),
        ("Impact", _impact(incident)),
        ("Root cause and trigger", _cause(incident)),
        ("Detection", _detection(incident)),
        ("Response", _response(incident)),
        ("Recovery", _recovery(incident)),
        ("What went well", _well(incident)),
        ("What went wrong", _wrong(incident)),
        ("Where we were lucky", _lucky(incident)),
        ("What people say: claims, not facts", _claims(incident)),
        ("Action items", _items(incident)),
    )
    return Postmortem(
        incident=incident.id,
        title=incident.title,
        drill=incident.drill,
        is_over=incident.is_over,
        up_to=up_to,
        sections=tuple(Section(title, tuple(parts)) for title, parts in sections),
        timeline=incident.timeline,
        left_out=incident.left_out,
    )


def _summary(one: Incident) -> Iterator[Part]:
    first = min(one.conditions, key=lambda condition: condition.since)
    yield Fact(f"It began at {utc(int(first.since))}: {_what(first)}.", (first.begun,))
    if one.mitigated_at is not None and one.mitigated is not None:
        lasted = span(one.mitigated_at - one.started_at)
        yield Fact(f"It ended at {utc(int(one.mitigated_at))}, after {lasted}.", _pair(first.begun, one.mitigated))
    else:
        yield Unknown("When it ends: it goes on.")
    worst = min(one.conditions, key=lambda condition: BY_NAME[condition.rule].severity)
    severity = f"SEV{one.severity} ({SEVERITIES[Severity(one.severity)]})"
    yield Fact(f"It came to {severity}: {_what(worst)}.", (worst.begun,))
    yield from _counted(one)
    yield Human("summary", "What happened, in three sentences that somebody outside would understand.")


def _counted(one: Incident) -> Iterator[Part]:
    """The impact in a sentence."""
    impact = one.impact
    if impact.first is None or impact.last is None or impact.since is None or impact.until is None:
        yield Unknown("What hosts asked for meanwhile: nothing was counted.")
        return
    yield Fact(
        f"From {utc(int(impact.since))} to {utc(int(impact.until))} hosts asked for things we did not hold and could"
        f" not get: {impact.lacking:,} of {impact.requests:,} requests.",
        _pair(impact.first, impact.last),
    )


def _impact(one: Incident) -> Iterator[Part]:
    yield from _counted(one)
    impact = one.impact
    if impact.first is not None and impact.last is not None and impact.requests:
        share = 100 * (impact.requests - impact.lacking) / impact.requests
        rest = impact.requests - impact.lacking
        sent = f"All other {rest:,} ({share:.2f} %) were answered, with {impact.bytes:,} bytes."
        yield Fact(sent, _pair(impact.first, impact.last))
    for condition in one.conditions:
        if condition.rule in ("expired", "stale", "frozen"):
            yield _condition(condition)
    yield from _pages(one)
    yield Unknown("How many hosts were affected: requests are counted, not who made them.")
    yield Human("impact", "Who felt it, and how: builds, updates, people.")


def _pages(one: Incident) -> Iterator[Part]:
    """Pages that were down meanwhile: something that was seen, which says nothing of why."""
    lines = [line for line in one.timeline if line.kind in ("watch-down", "watch-up")]
    for line in lines[:PAGES_MAX]:
        yield Fact(f"A page that is watched from here: at {utc(int(line.at))} {line.text}.", (line.seq,))
    if len(lines) > PAGES_MAX:
        yield Unknown(f"{len(lines) - PAGES_MAX} more such lines are in the timeline.")


def _what(one: Span) -> str:
    return f"{one.subject}: {BY_NAME[one.rule].what}"


def _condition(one: Span) -> Fact:
    what = f"{_what(one)}, since {utc(int(one.since))}"
    if one.until is None or one.ended is None:
        return Fact(f"{what}; it goes on.", (one.begun,))
    return Fact(f"{what}, for {span(one.until - one.since)}.", _pair(one.begun, one.ended))


def _cause(one: Incident) -> Iterator[Part]:
    first = [line for line in one.timeline if line.kind in _CAUSES and line.seq <= one.opened]
    first = first or [line for line in one.timeline if line.seq == one.opened]
    for line in first[-CAUSES_MAX:]:
        yield Fact(f"At {utc(int(line.at))}: {line.text}.", (line.seq,))
    if len(first) > CAUSES_MAX:
        yield Unknown(f"Which of the {len(first)} things that went wrong before it mattered most.")
    yield Unknown("Why: the journal knows what sources answered, not what happened to them.")
    if one.claims:
        yield Unknown("Who did it: what people say about that stands below, as claims.")
    yield Human("root-cause", "The root cause and the trigger, as far as they are known, and how we know.")


_CAUSES = ("source-state", "violation", "refused", "source-failed", "failover", "store-full", "bit-rot", "feed-stale")


def _detection(one: Incident) -> Iterator[Part]:
    late = span(one.detected_at - one.started_at)
    yield Fact(f"The gateway noticed it at {utc(int(one.detected_at))}, {late} after it began.", (one.opened,))
    people = sorted((*one.notes, *one.actions), key=lambda remark: remark.seq)
    if people:
        first = people[0]
        when = span(max(0.0, first.at - one.detected_at))
        yield Fact(f"The first that a person wrote down came {when} later, from {first.by}.", (first.seq,))
    else:
        yield Unknown("When a person noticed: nobody wrote anything down.")
    yield Human("detection", "Who noticed how, and whether that was soon enough.")


def _response(one: Incident) -> Iterator[Part]:
    yield from _number(
        one,
        "failover",
        "file came from another source than asked",
        "files came from other sources than asked",
    )
    remarks = [(remark, "did") for remark in one.actions] + [(remark, "noted") for remark in one.notes]
    for remark, verb in sorted(remarks, key=lambda each: each[0].seq):
        yield _remark(remark, verb)
    if not one.actions:
        yield Unknown("What people did: no action was written down.")
    yield Human("response", "Who did what and why, and what it brought.")


def _remark(one: Remark, verb: str) -> Fact:
    return Fact(f"At {utc(int(one.at))} {one.by} {verb}: “{one.text}”", (one.seq,))


def _number(one: Incident, kind: str, singular: str, plural: str) -> Iterator[Part]:
    count = one.counts.get(kind)
    if count is not None:
        words = singular if count.events == 1 else plural
        yield Fact(f"{count.events:,} {words}.", _pair(count.first, count.last))


def _recovery(one: Incident) -> Iterator[Part]:
    for condition in one.conditions:
        yield _condition(condition)
    if one.mitigated_at is not None and one.mitigated is not None:
        yield Fact(f"The last of these ended at {utc(int(one.mitigated_at))}.", (one.mitigated,))
    after = [line for line in one.timeline if line.kind == "adopted" and line.seq > one.opened]
    for line in after[:1]:
        yield Fact(f"The first news after it began came at {utc(int(line.at))}: {line.text}.", (line.seq,))
    if one.state == "closed" and one.closed_by and one.mitigated is not None:
        closing = next((line.seq for line in one.timeline if line.kind == "incident-closed"), one.mitigated)
        yield Fact(f"{one.closed_by} closed it.", (closing,))
    if not one.is_over:
        yield Unknown("How it ends.")
    yield Human("recovery", "What brought it back: did we do anything, or did the others?")


def _well(one: Incident) -> Iterator[Part]:
    impact = one.impact
    if impact.requests and not impact.lacking and impact.first is not None and impact.last is not None:
        yield Fact(f"None of {impact.requests:,} requests was refused for lack.", _pair(impact.first, impact.last))
    yield from _number(one, "violation", "wrong answer reached nobody", "wrong answers reached nobody")
    yield from _number(one, "refused", "Release was refused", "Releases were refused")
    yield Human("went-well", "What helped, and should stay as it is.")


def _wrong(one: Incident) -> Iterator[Part]:
    impact = one.impact
    if impact.lacking and impact.first is not None and impact.last is not None:
        yield Fact(f"{impact.lacking:,} requests were refused for lack.", _pair(impact.first, impact.last))
    if one.reopened:
        times = "once" if one.reopened == 1 else f"{one.reopened} times"
        came = tuple(span.begun for span in one.conditions[1:]) or (one.opened,)
        yield Fact(f"It came back {times} before it was over.", came)
    for condition in one.conditions:
        if condition.rule in ("refusing", "expired"):
            yield _condition(condition)
    yield Human("went-wrong", "What did not work as it should have.")


def _lucky(one: Incident) -> Iterator[Part]:
    rules = {condition.rule for condition in one.conditions}
    for condition in one.conditions:
        if condition.rule == "last-operator" and "alone" not in rules:
            yield Fact(f"{condition.subject} hung on one operator, and that one held.", (condition.begun,))
    if "alone" in rules and "expired" not in rules:
        alone = [condition for condition in one.conditions if condition.rule == "alone"]
        yield Fact("No event says that a suite passed its Valid-Until meanwhile.", tuple(span.begun for span in alone))
    yield Human("lucky", "What could have been worse, and only was not by chance.")


def _claims(one: Incident) -> Iterator[Part]:
    for claim in one.claims:
        yield Said(f"{claim.name}: {sentence(claim)}", tuple(judged.seq for judged in claim.judgements))
    if not one.claims:
        yield Unknown("What others say about it: nothing was written down.")


def _items(one: Incident) -> Iterator[Part]:
    asks = dict.fromkeys(BY_NAME[condition.rule].todo for condition in one.conditions)
    suggested = " ".join(asks)
    yield Human("action-items", f"What is to be done, by whom, until when. To begin with: {suggested}")


def _pair(first: int, last: int) -> tuple[int, ...]:
    return (first,) if first == last else (first, last)


def cited(postmortem: Postmortem) -> Iterator[tuple[str, Sequence[int]]]:
    """Each sentence that states something, and the events that say so."""
    for section in postmortem.sections:
        for part in section.parts:
            match part:
                case Fact(text, cites) | Said(text, cites):
                    yield text, cites
                case Unknown() | Human():
                    pass
    yield from ((line.text, (line.seq,)) for line in postmortem.timeline)


def unknowns(postmortem: Postmortem) -> Iterator[str]:
    """What is not known, once each."""
    parts = (part for section in postmortem.sections for part in section.parts)
    yield from dict.fromkeys(part.text for part in parts if isinstance(part, Unknown))
