"""What becomes an incident, what does not, how bad it is, and when it is over."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.incidents.histories import CALM_S, NOW, RULES, A, B, History
from tidegate.incidents.folding import LEAD_S, fold
from tidegate.incidents.incident import Incident
from tidegate.incidents.making import LINES_MAX, LINES_OF_A_KIND_MAX

if TYPE_CHECKING:
    from tidegate.store.journal import Value


@pytest.fixture
def history() -> History:
    return History()


def only(incidents: tuple[Incident, ...]) -> Incident:
    (incident,) = incidents
    return incident


# What is one


def test_one_source_that_is_down_is_no_incident(history: History) -> None:
    history.source(A, "open")
    history.source(A, "closed", later=3600.0)
    history.note("refused", "ubuntu noble", source=B, reason="older-than-accepted")
    assert history.incidents() == ()


def test_an_archive_on_its_last_operator_is_one(history: History) -> None:
    history.note("last-operator-begun", "ubuntu", since=NOW - 5, operator="b", operators=2)
    incident = only(history.incidents())
    assert (incident.state, incident.severity, incident.severity_now) == ("open", 3, 3)
    assert incident.title == "ubuntu: of its operators one is left that answers, at most"
    assert (incident.started_at, incident.detected_at) == (NOW - 5, NOW)
    assert incident.id == "20260430-1"


def test_an_archive_that_is_alone_is_a_worse_one_and_the_same(history: History) -> None:
    history.note("last-operator-begun", "ubuntu", since=NOW - 5, operator="b", operators=2)
    history.alone(later=60)
    incident = only(history.incidents())
    assert (incident.severity, incident.title) == (2, "ubuntu: none of its sources answers")
    history.answers(later=3600)
    better = only(history.incidents())
    assert (better.state, better.severity, better.severity_now) == ("open", 2, 3)


def test_wrong_bytes_are_one_whoever_gave_them_until_that_source_is_well_again(history: History) -> None:
    history.source(A, "open", cause="violation")
    history.note("violation", A, reason="digest is not what is listed", digest="00")
    history.note("violation", B, reason="digest is not what is listed", digest="00")
    first, second = history.incidents()
    assert (first.about, first.name, first.severity, first.state) == ("source", A, 3, "open")
    assert second.name == B
    history.source(A, "closed", cause="violation", later=3600.0)
    assert [one.state for one in history.incidents()] == ["mitigated", "open"]


@pytest.mark.parametrize(
    ("begin", "end", "severity"),
    [
        (
            ("freshness-lost", "ubuntu noble", {"confirmed_at": int(NOW) - 100, "limit_s": 60.0}),
            ("freshness-confirmed", "ubuntu noble", {"confirmed_at": int(NOW), "confirmed_by": "a"}),
            3,
        ),
        (
            ("suite-expired", "ubuntu noble", {"date": 1, "valid_until": int(NOW)}),
            ("adopted", "ubuntu noble", {"source": A, "date": 2, "payload": "", "signers": "", "confirmed_by": ""}),
            2,
        ),
        (
            (
                "split-view",
                "ubuntu noble",
                dict.fromkeys(("payload", "source", "other_payload", "other_source"), "x") | {"date": 1},
            ),
            ("adopted", "ubuntu noble", {"source": A, "date": 2, "payload": "", "signers": "", "confirmed_by": ""}),
            2,
        ),
        (
            ("feed-stale", "ubuntu-osv", {"age_s": 90_000.0, "limit_s": 86_400.0, "reason": "no answer"}),
            ("feed-fresh", "ubuntu-osv", {"age_s": 5.0}),
            3,
        ),
        (
            (
                "watch-down",
                "status-page",
                {"url": "x", "archive": "", "reason": "answered 503", "since": NOW, "incident": True},
            ),
            ("watch-up", "status-page", {"url": "x", "archive": "", "since": NOW, "down_s": 600.0}),
            3,
        ),
        (
            ("readiness", "gateway", {"before": "ok", "after": "critical", "lacking": 9, "reason": "x"}),
            ("readiness", "gateway", {"before": "critical", "after": "warning", "lacking": 1, "reason": "x"}),
            3,
        ),
        (
            ("store-full", "store", {"lacking_bytes": 1, "reason": "full"}),
            ("store-has-room", "store", {}),
            3,
        ),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_each_of_these_is_one_from_its_beginning_to_its_end(history: History, begin, end, severity) -> None:  # type: ignore[no-untyped-def]  # tuples of a table
    kind, subject, data = begin
    history.note(kind, subject, **data)
    assert (only(history.incidents()).severity, only(history.incidents()).state) == (severity, "open")
    kind, subject, data = end
    history.note(kind, subject, later=600.0, **data)
    incident = only(history.incidents())
    assert (incident.state, incident.mitigated_at, incident.mitigated) == ("mitigated", NOW + 600, 2)
    over = only(history.incidents(later=CALM_S))
    assert (over.state, over.closed_at, over.closed_by) == ("closed", NOW + 600 + CALM_S, "")


def test_another_suites_adoption_ends_nothing(history: History) -> None:
    history.note("suite-expired", "ubuntu noble", date=1, valid_until=int(NOW))
    history.note("adopted", "ubuntu jammy", source=A, date=2, payload="", signers="", confirmed_by="")
    assert only(history.incidents()).state == "open"


def test_a_damaged_file_is_one_that_is_over_at_once(history: History) -> None:
    history.note("bit-rot", "00" * 32, size=5, fetched_again=True)
    incident = only(history.incidents())
    assert (incident.state, incident.severity, incident.severity_now) == ("mitigated", 4, None)


# Grouping


def test_two_archives_are_two_incidents_and_a_drill_is_its_own(history: History) -> None:
    history.alone()
    history.alone(archive="debian")
    history.alone(drill="canonical-2026")
    assert [(one.name, one.drill) for one in history.incidents()] == [
        ("ubuntu", ""),
        ("debian", ""),
        ("ubuntu", "canonical-2026"),
    ]
    history.answers(drill="canonical-2026")
    assert [one.state for one in history.incidents()] == ["open", "open", "mitigated"]


def test_refusals_that_come_of_an_outage_make_it_worse_and_are_no_incident_of_their_own(history: History) -> None:
    history.alone()
    history.served(100, lacking=50)
    incident = only(history.incidents())
    assert (incident.severity, incident.title) == (1, "ubuntu: hosts are refused what they ask for")
    history.served(100, lacking=0)
    assert only(history.incidents()).severity_now == 2


def test_refusals_without_an_outage_are_an_incident(history: History) -> None:
    history.served(100, lacking=50)
    history.alone(archive="debian")
    history.served(100, lacking=0)
    service, archive = history.incidents()
    assert (service.about, service.severity, service.state) == ("service", 1, "mitigated")
    assert (archive.severity, archive.state) == (2, "open")


def test_a_refusal_now_and_then_is_none(history: History) -> None:
    history.served(100, lacking=RULES.lacking_min - 1)
    history.served(1_000, lacking=RULES.lacking_min)
    assert history.incidents() == ()


# Over, and again


def test_what_comes_back_before_it_was_calm_is_the_same_incident(history: History) -> None:
    history.alone()
    for _ in range(5):
        history.answers(later=100)
        history.alone(later=CALM_S - 1)
    history.answers(later=100)
    incident = only(history.incidents(later=CALM_S))
    assert (incident.state, incident.reopened, len(incident.conditions)) == ("closed", 5, 6)


def test_what_comes_back_after_it_was_calm_is_another_one(history: History) -> None:
    history.alone()
    history.answers(later=100)
    history.alone(later=CALM_S)
    first, second = history.incidents()
    assert (first.state, first.closed_at, second.state) == ("closed", NOW + 100 + CALM_S, "open")
    assert first.id != second.id


def test_a_restart_in_the_middle_changes_nothing_but_is_told(history: History) -> None:
    history.alone()
    history.note("stopped", "gateway")
    history.note("started", "gateway", version="1", listen="x", offline=False)
    incident = only(history.incidents())
    assert [line.kind for line in incident.timeline] == ["alone-begun", "stopped", "started"]


def test_whoever_closes_one_ends_its_conditions_and_is_named(history: History) -> None:
    history.alone()
    history.note("incident-closed", "20260430-1", later=50, by="ada", text="the archive was retired")
    incident = only(history.incidents())
    assert (incident.state, incident.closed_at, incident.closed_by) == ("closed", NOW + 50, "ada")
    assert (incident.mitigated, incident.conditions[0].ended) == (2, 2)
    history.answers(later=10)
    assert only(history.incidents()).closed_by == "ada"


# Impact and timeline


def test_the_impact_is_what_was_served_while_it_lasted(history: History) -> None:
    history.served(1_000)  # over before it began
    history.alone(later=100)
    history.served(4_000, lacking=1)
    history.served(112, lacking=2, later=30)
    history.answers(later=30)
    history.served(10, later=30, lasted=40)  # began before the end: counts
    history.served(5_000)
    impact = only(history.incidents()).impact
    assert (impact.requests, impact.lacking, impact.events) == (4_122, 3, 3)
    assert (impact.first, impact.last) == (3, 6)
    assert impact.bytes == 4_122_000


def test_what_was_served_before_it_was_noticed_counts_from_its_beginning(history: History) -> None:
    history.served(7, lacking=1, later=60)
    history.note("alone-begun", "ubuntu", later=5, since=NOW + 30, sources=2)
    assert only(history.incidents()).impact.requests == 7


def test_what_was_served_in_a_pause_counts_if_it_goes_on(history: History) -> None:
    history.alone()
    history.answers(later=10)
    history.served(5)
    assert only(history.incidents()).impact.requests == 0
    history.alone(later=10)
    assert only(history.incidents()).impact.requests == 5


def test_what_led_to_it_is_in_the_timeline(history: History) -> None:
    history.source(A, "open")
    history.source(B, "open", later=LEAD_S + 1)
    history.note("failover", B, archives="debian", to=A, digest="00", at_byte=5, reason="stalled")
    history.alone(later=10)
    incident = only(history.incidents())
    assert [(line.seq, line.kind) for line in incident.timeline] == [(2, "source-state"), (4, "alone-begun")]
    assert incident.timeline[0].text == f"{B} is left alone: no answer within 5 s"


def page(history: History, name: str, *, down: bool, archive: str = "", later: float = 0.0) -> int:
    told: dict[str, Any] = {"url": f"https://{name}.example/", "archive": archive, "since": history.now + later}
    if down:
        return history.note("watch-down", name, later=later, **told, reason="answered 503", incident=False).seq
    return history.note("watch-up", name, later=later, **told, down_s=60.0).seq


def test_a_page_that_is_down_is_no_incident_unless_the_settings_say_so(history: History) -> None:
    page(history, "blog", down=True)
    assert history.incidents() == ()


def test_pages_that_are_down_meanwhile_are_in_an_incidents_timeline_and_never_open_it(history: History) -> None:
    was_down = page(history, "blog", down=True)
    page(history, "docs", down=True, later=60)
    page(history, "docs", down=False, later=60)
    page(history, "other", down=True, archive="debian", later=60)
    opened = history.alone(later=3_600).seq
    later = [
        page(history, "status", down=True, archive="ubuntu", later=60),
        page(history, "blog", down=False, later=60),
    ]
    page(history, "other", down=False, archive="debian", later=60)
    incident = only(history.incidents())
    assert [line.seq for line in incident.timeline] == [was_down, opened, *later]
    assert incident.opened == opened
    assert [span.rule for span in incident.conditions] == ["alone"]


def test_a_page_that_nobody_asks_any_more_is_not_told_of_as_down(history: History) -> None:
    page(history, "blog", down=True)
    history.note("watch-not-asked", "blog", url="https://blog.example/", reason="robots")
    history.alone(later=60)
    assert [line.kind for line in only(history.incidents()).timeline] == ["alone-begun"]


def test_a_timeline_is_bounded_and_says_what_it_leaves_out(history: History) -> None:
    history.alone()
    for number in range(LINES_OF_A_KIND_MAX + 10):
        history.note("source-failed", "ubuntu noble", source=A, reason=f"try {number}")
    history.answers(later=10)
    incident = only(history.incidents())
    assert len(incident.timeline) == LINES_OF_A_KIND_MAX + 2
    assert incident.left_out == 10
    assert incident.counts["source-failed"].events == LINES_OF_A_KIND_MAX + 10
    assert incident.timeline[-1].kind == "alone-ended"
    for _ in range(LINES_MAX):
        history.alone(later=1)
        history.answers(later=1)
    assert len(only(history.incidents()).timeline) == LINES_MAX


# People


def test_notes_actions_and_claims_are_kept_apart(history: History) -> None:
    history.alone()
    name = "20260430-1"
    history.note("incident-note", name, by="ada", text="their status page is down as well")
    history.note("incident-action", name, by="bob", text="added mirror-c")
    history.note(
        "claim",
        name,
        claim="C1",
        said_by="a group",
        url="https://x.example",
        said_at="2026-04-30",
        text="we did it",
        attributes_to="313 Team",
        confidence=30,
        status="pending",
        by="ada",
    )
    history.note("claim-revised", name, claim="C1", confidence=5, status="disputed", text="wrong weekday", by="bob")
    incident = only(history.incidents())
    assert [(one.by, one.text, one.seq) for one in incident.notes] == [("ada", "their status page is down as well", 2)]
    assert [one.text for one in incident.actions] == ["added mirror-c"]
    (told,) = incident.claims
    assert (told.attributes_to, told.now.status, told.now.confidence) == ("313 Team", "disputed", 5)
    assert [(one.seq, one.status) for one in told.judgements] == [(4, "pending"), (5, "disputed")]
    assert "313 Team" not in incident.title


def test_what_is_said_about_an_incident_that_is_over_is_kept_and_opens_nothing(history: History) -> None:
    history.alone()
    history.answers(later=10)
    history.note("incident-note", "20260430-1", later=10 * CALM_S, by="ada", text="no post-mortem came")
    history.note("incident-note", "20260430-99", by="ada", text="about nothing")
    incident = only(history.incidents())
    assert (incident.state, len(incident.notes)) == ("closed", 1)


def test_a_claim_whose_event_is_nonsense_is_pending_and_not_believed(history: History) -> None:
    history.alone()
    event = history.note("claim-revised", "20260430-1", claim="C9", confidence=5, status="x", text="", by="")
    wrong: dict[str, Value] = {"claim": "C1", "status": "proven", "confidence": 5_000}
    history.events.append(replace(event, seq=3, kind="claim", data=wrong))
    (told,) = only(fold(history.events, RULES, history.now)).claims
    assert (told.now.status, told.now.confidence) == ("pending", 100)
