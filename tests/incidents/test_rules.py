"""The tables: each row can come true, and the documentation and its picture show them."""

from pathlib import Path

from tidegate.incidents.folding import BY_PEOPLE, groups_of
from tidegate.incidents.rules import BY_NAME, RULES, SEVERITIES, TABLE, Cause, Severity, State, next_state
from tidegate.incidents.telling import _SENTENCES
from tidegate.store.journal import Event
from tidegate.store.journal_kinds import KINDS

DOCUMENT = Path(__file__).parents[2] / "docs/incidents.md"


def test_every_sign_is_a_kind_of_event_that_there_is() -> None:
    assert {sign.kind for rule in RULES for sign in (*rule.begins, *rule.ends)} <= KINDS.keys()


def test_rules_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(RULES)


def test_every_severity_is_explained() -> None:
    assert set(SEVERITIES) == set(Severity)
    assert {rule.severity for rule in RULES} == set(Severity)


def test_nothing_leads_out_of_closed_and_all_else_leads_there() -> None:
    assert all(row.before is not State.CLOSED for row in TABLE)
    for state in (State.OPEN, State.MITIGATED):
        assert next_state(state, Cause.BY_HAND) is State.CLOSED
    assert next_state(State.CLOSED, Cause.BEGINS) is State.CLOSED


def test_no_state_and_cause_lead_to_two_states() -> None:
    assert len({(row.before, row.cause) for row in TABLE}) == len(TABLE)


def test_the_documentation_shows_each_rule_and_each_state() -> None:
    text = DOCUMENT.read_text()
    for rule in RULES:
        assert f"| {rule.name} | " in text
        assert rule.todo in text
    for row in TABLE:
        assert f"| {row.before} | {row.cause} | {row.after} | {row.note} |" in text


def test_the_picture_has_each_change_of_state_that_the_table_has() -> None:
    picture = (DOCUMENT.parent / "img/incident.svg").read_text()
    for row in TABLE:
        assert f'data-from="{row.before}" data-to="{row.after}"' in picture
        assert row.cause.replace("`", "") in picture


def test_every_kind_that_may_stand_in_a_timeline_is_told_in_a_sentence() -> None:
    data = {"archives": "ubuntu", "source": "http://a.example"}
    lines = {name for name in KINDS if any(groups_of(Event(1, 0.0, 0.0, "", name, "ubuntu noble", data)))} | {
        *BY_PEOPLE,
        "started",
        "stopped",
        "served",
    }
    untold = {"alarm", "adopted-incomplete", "prefetch-complete", "prefetch-failed"}
    assert lines - _SENTENCES.keys() == untold
    assert _SENTENCES.keys() <= KINDS.keys()
