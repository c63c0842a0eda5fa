"""Whatever happens in whatever order: the same events give the same incidents, and none flaps."""

from collections import defaultdict
from itertools import pairwise

from hypothesis import given

from tests.incidents.histories import CALM_S, NOW, RULES, History, histories
from tidegate.incidents.folding import Folding, fold
from tidegate.incidents.incident import Incident

LATER = NOW + 1e9


def by_group(incidents: tuple[Incident, ...]) -> dict[tuple[str, str, str], list[Incident]]:
    found = defaultdict(list)
    for one in incidents:
        found[one.about, one.name, one.drill].append(one)
    return found


@given(histories())
def test_between_two_incidents_about_one_thing_there_was_calm(history: History) -> None:
    for incidents in by_group(history.incidents()).values():
        for before, after in pairwise(incidents):
            assert before.closed_at is not None
            assert before.mitigated_at is not None
            assert before.closed_at == before.mitigated_at + CALM_S
            opened = max(event.at for event in history.events if event.seq <= after.opened)
            assert opened >= before.closed_at


@given(histories())
def test_the_same_events_give_the_same_incidents_however_they_are_read(history: History) -> None:
    folding = Folding(RULES)
    for event in history.events:
        folding.take(event)
        folding.incidents(event.at)  # looking changes nothing
    assert folding.incidents(LATER) == fold(history.events, RULES, LATER) == fold(history.events, RULES, LATER)


@given(histories())
def test_ids_are_unique_and_stay_whatever_comes_after(history: History) -> None:
    incidents = history.incidents()
    assert len({one.id for one in incidents}) == len(incidents)
    for end in range(len(history.events)):
        earlier = fold(history.events[:end], RULES, NOW)
        assert [one.id for one in earlier] == [one.id for one in incidents[: len(earlier)]]


@given(histories())
def test_an_incident_is_open_exactly_while_a_condition_holds(history: History) -> None:
    for one in history.incidents():
        holds = any(span.ended is None for span in one.conditions)
        assert holds is (one.state == "open") is (one.severity_now is not None) is (one.mitigated_at is None)
        assert (one.closed_at is not None) is (one.state == "closed")
        assert one.conditions
        assert one.severity <= min((span_severity(one)), default=4)


def span_severity(one: Incident) -> list[int]:
    from tidegate.incidents.rules import BY_NAME

    return [BY_NAME[span.rule].severity for span in one.conditions]


@given(histories())
def test_every_number_an_incident_cites_is_an_event_of_the_journal(history: History) -> None:
    numbers = {event.seq: event for event in history.events}
    for one in history.incidents():
        cited = [one.opened, *(line.seq for line in one.timeline), *(span.begun for span in one.conditions)]
        cited += [span.ended for span in one.conditions if span.ended is not None]
        assert set(cited) <= set(numbers)
        assert all(numbers[seq].drill == one.drill for seq in cited)
        assert one.started_at <= one.detected_at


@given(histories())
def test_long_after_the_last_event_only_what_still_holds_is_not_closed(history: History) -> None:
    for one in fold(history.events, RULES, LATER):
        assert one.state == ("open" if any(span.ended is None for span in one.conditions) else "closed")


@given(histories())
def test_events_that_are_needed_reach_back_to_the_first_line_of_what_is_not_over(history: History) -> None:
    folding = Folding(RULES)
    for event in history.events:
        folding.take(event)
    live = [one for one in folding.incidents(history.now) if one.state != "closed"]
    assert folding.needed_from() == min((line.seq for one in live for line in one.timeline), default=None)
