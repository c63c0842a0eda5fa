"""What every `History` promises. A subclass of `HistoryContract` gives it as the fixture `history`."""

import itertools
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.advisories.samples import NOON, parsed, provenance, statement
from tidegate.advisories.history import SCORE_STEP, History, Naming, Verified
from tidegate.advisories.listing import By, Listing, Page
from tidegate.advisories.statement import Kind, Parsed, Problem, Record, Score, Severity, Statement, Status

FEED = "ubuntu-tracker"
READER = 1
NUMBERS = itertools.count()


def take(history: History, at: int, *found: Parsed, gone: Sequence[str] = (), problems: Sequence[Problem] = ()) -> int:
    """Take in records that are named after nothing but themselves; returns how many statements changed."""
    with history.importing(provenance(FEED, at), reader=READER) as session:
        changed = sum(session.put(one, str(one).encode(), sha256(str(one).encode()).digest()) for one in found)
        changed += session.retract(gone)
        session.close(problems, read=[one.record.id for one in found], whole=False)
    return changed


def statuses(history: History, as_of: int | None = None) -> list[Status]:
    return [said.statement.status for said in history.said("CVE-2026-0001", as_of)]


def listed(history: History, as_of: int | None = None, **asked: Any) -> list[str]:
    page = history.listed(Listing(Kind.CVE, **asked), as_of)
    assert page.total == len(page.listed)
    return [one.about for one in page.listed]


class HistoryContract:
    def test_at_first_nothing_is_known(self, history: History) -> None:
        assert history.feeds() == ()
        assert history.feed(FEED) is None
        assert (history.said("CVE-2026-0001"), history.spans("CVE-2026-0001")) == ((), ())
        assert history.mentions("CVE-2026-0001") == ()
        assert history.record(FEED, "CVE-2026-0001") is None
        assert history.score("CVE-2026-0001") is None
        assert history.verbatim(bytes(32)) is None
        assert history.unreadable() == ()

    def test_a_statement_is_kept_with_every_field(self, history: History) -> None:
        made = Statement(
            "CVE-2026-0001", "bash", statement().place, Status.RELEASED, "5.2-1", "5.0-1", "medium", "with Pro\n“only”"
        )
        assert take(history, NOON, parsed("CVE-2026-0001", made)) == 1
        (said,) = history.said("CVE-2026-0001")
        assert (said.feed, said.record, said.since, said.until) == (FEED, "CVE-2026-0001", NOON, None)
        assert said.statement == made

    def test_a_record_is_kept_with_every_field_and_its_very_bytes(self, history: History) -> None:
        record = Record(
            "UBUNTU-CVE-2026-0001", Kind.CVE, "CVE-2026-0001", "title", "é\n", 1, 2, 3, ("CVE-2026-0001",), ("a",),
            ("b",), ("c", "d"), (Severity("Ubuntu", "low"),), ("https://x.example",), (("Due", "2026"),),
        )  # fmt: skip
        take(history, NOON, Parsed(record, ()))
        edition = history.record(FEED, "UBUNTU-CVE-2026-0001")
        assert edition is not None
        assert (edition.record, edition.since, edition.until) == (record, NOON, None)
        assert history.verbatim(edition.digest) == str(Parsed(record, ())).encode()
        assert history.record("kev", "UBUNTU-CVE-2026-0001") is None

    def test_what_was_known_at_a_moment_is_answered(self, history: History) -> None:
        take(history, NOON, parsed("CVE-2026-0001", statement(Status.NEEDED)))
        take(history, NOON + 10, parsed("CVE-2026-0001", statement(Status.RELEASED, fixed="1")))
        take(history, NOON + 20, parsed("CVE-2026-0001", statement(Status.NEEDED)))
        take(history, NOON + 30, parsed("CVE-2026-0001"))
        assert [statuses(history, NOON + at) for at in (-1, 0, 9, 10, 19, 20, 29, 30)] == [
            [], [Status.NEEDED], [Status.NEEDED], [Status.RELEASED], [Status.RELEASED], [Status.NEEDED],
            [Status.NEEDED], [],
        ]  # fmt: skip
        assert statuses(history) == []
        assert [(said.statement.fixed, said.since, said.until) for said in history.spans("CVE-2026-0001")] == [
            (None, NOON, NOON + 10),
            ("1", NOON + 10, NOON + 20),
            (None, NOON + 20, NOON + 30),
        ]

    def test_only_what_changed_begins_anew(self, history: History) -> None:
        bash, dash = statement(), statement(package="dash")
        assert take(history, NOON, parsed("CVE-2026-0001", bash, dash)) == 2
        assert take(history, NOON + 10, parsed("CVE-2026-0001", bash, statement(Status.IGNORED, package="dash"))) == 1
        assert take(history, NOON + 20, parsed("CVE-2026-0001", bash)) == 1
        assert take(history, NOON + 30, parsed("CVE-2026-0001", bash)) == 0
        assert [(said.statement.package, said.since) for said in history.said("CVE-2026-0001")] == [("bash", NOON)]

    def test_a_record_that_is_put_again_as_it_was_has_one_edition(self, history: History) -> None:
        for at in (NOON, NOON + 10):
            take(history, at, parsed("CVE-2026-0001", statement()))
        edition = history.record(FEED, "CVE-2026-0001")
        assert edition is not None
        assert edition.since == NOON

    def test_what_changes_twice_at_one_moment_was_never_otherwise(self, history: History) -> None:
        take(history, NOON, parsed("CVE-2026-0001", statement()), parsed("CVE-2026-0001", statement(Status.IGNORED)))
        assert [(said.statement.status, said.since) for said in history.spans("CVE-2026-0001")] == [
            (Status.IGNORED, NOON)
        ]
        edition = history.record(FEED, "CVE-2026-0001", NOON)
        assert edition is not None
        assert edition.until is None

    def test_what_a_feed_lost_is_retracted_and_may_come_back(self, history: History) -> None:
        take(history, NOON, parsed("CVE-2026-0001", statement()))
        assert take(history, NOON + 10, gone=["CVE-2026-0001"]) == 1
        assert (statuses(history), history.record(FEED, "CVE-2026-0001")) == ([], None)
        assert statuses(history, NOON + 9) == [Status.NEEDED]
        assert history.record(FEED, "CVE-2026-0001", NOON + 9) is not None
        take(history, NOON + 20, parsed("CVE-2026-0001", statement()))
        assert [(said.since, said.until) for said in history.spans("CVE-2026-0001")] == [
            (NOON, NOON + 10),
            (NOON + 20, None),
        ]

    def test_places_records_and_feeds_speak_each_for_themselves(self, history: History) -> None:
        esm = statement(Status.RELEASED, pocket="esm-infra", fixed="2")
        take(history, NOON, parsed("CVE-2026-0001", statement(), esm), parsed("CVE-2026-0002", statement()))
        with history.importing(provenance("ubuntu-osv", NOON + 1), reader=READER) as session:
            session.put(parsed("CVE-2026-0001", statement(Status.AFFECTED)), b"osv", bytes(32))
            session.close((), read=["CVE-2026-0001"], whole=True)
        assert [
            (said.feed, said.record, said.statement.place.pocket, said.statement.status)
            for said in history.said("CVE-2026-0001")
        ] == [
            ("ubuntu-osv", "CVE-2026-0001", "", Status.AFFECTED),
            (FEED, "CVE-2026-0001", "", Status.NEEDED),
            (FEED, "CVE-2026-0001", "esm-infra", Status.RELEASED),
            (FEED, "CVE-2026-0002", "", Status.NEEDED),
        ]

    def test_statements_are_found_by_package_and_by_release(self, history: History) -> None:
        take(
            history,
            NOON,
            parsed("CVE-2026-0001", statement(), statement(package="dash", release="jammy")),
            parsed("CVE-2026-0002", statement(about="CVE-2026-0002", pocket="esm-apps")),
        )
        take(history, NOON + 10, gone=["CVE-2026-0002"])
        assert [said.statement.about for said in history.said_of("bash")] == ["CVE-2026-0001"]
        assert [said.statement.about for said in history.said_of("bash", NOON)] == ["CVE-2026-0001", "CVE-2026-0002"]
        assert history.said_of("zsh") == ()
        assert {said.statement.package for said in history.all_said("jammy")} == {"dash"}
        assert len(list(history.all_said("noble", NOON))) == 2
        assert list(history.all_said("focal")) == []

    def test_records_are_found_by_the_cves_they_speak_of(self, history: History) -> None:
        def notice(*cves: str) -> Parsed:
            return Parsed(Record("USN-1-1", Kind.NOTICE, "USN-1-1", cves=cves), ())

        take(history, NOON, notice("CVE-2026-0001", "CVE-2026-0002"), parsed("CVE-2026-0001"))
        take(history, NOON + 10, notice("CVE-2026-0002"))
        assert [one.record.id for one in history.mentions("CVE-2026-0001", NOON)] == ["CVE-2026-0001", "USN-1-1"]
        assert [one.record.id for one in history.mentions("CVE-2026-0001")] == ["CVE-2026-0001"]
        assert [one.record.id for one in history.mentions("CVE-2026-0002")] == ["USN-1-1"]

    def test_an_import_that_fails_leaves_nothing(self, history: History) -> None:
        take(history, NOON, parsed("CVE-2026-0001", statement()))
        problem = Problem("CVE-2026-0009", "line 1", "broken")

        def fail() -> None:
            with history.importing(provenance(FEED, NOON + 10), reader=READER) as session:
                session.put(parsed("CVE-2026-0001", statement(Status.IGNORED)), b"other", bytes(32))
                session.put(parsed("CVE-2026-0002", statement()), b"more", bytes(32))
                session.rate([Score("CVE-2026-0001", 0.5, None)])
                session.close([problem], read=[], whole=False)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert statuses(history) == [Status.NEEDED]
        assert history.record(FEED, "CVE-2026-0002") is None
        assert history.score("CVE-2026-0001") is None
        assert (history.unreadable(), history.verbatim(bytes(32))) == ((), None)
        take(history, NOON + 20, parsed("CVE-2026-0002", statement(about="CVE-2026-0002")))
        assert len(history.said("CVE-2026-0002")) == 1

    def test_a_session_knows_what_stands(self, history: History) -> None:
        take(history, NOON, parsed("CVE-2026-0001", modified=5), parsed("CVE-2026-0002"))
        take(history, NOON + 10, gone=["CVE-2026-0002"])
        with history.importing(provenance(FEED, NOON + 20), reader=READER) as session:
            assert {name: known.modified for name, known in session.known.items()} == {"CVE-2026-0001": 5}
            session.close((), read=[], whole=False)
        with history.importing(provenance("kev", NOON + 20), reader=READER) as session:
            assert dict(session.known) == {}
            session.close((), read=[], whole=True)

    def test_a_feed_tells_where_it_is_from_and_since_when_it_stands(self, history: History) -> None:
        take(history, NOON, parsed("CVE-2026-0001"), parsed("CVE-2026-0002"))
        first = history.feed(FEED)
        assert first is not None
        assert first.provenance == provenance(FEED, NOON)
        assert first.provenance.verified is Verified.DIGEST_LIST
        assert (first.confirmed_at, first.whole, first.reader, first.records, first.unreadable) == (
            NOON,
            False,
            1,
            2,
            0,
        )
        history.confirm(provenance(FEED, NOON + 10))
        history.confirm(provenance(FEED, NOON + 5))
        take(history, NOON + 20, gone=["CVE-2026-0002"], problems=[Problem("x", "y", "z")])
        assert [state.records for state in history.feeds()] == [1]
        at_last = history.feed(FEED)
        assert at_last is not None
        assert (at_last.provenance.fetched_at, at_last.unreadable) == (NOON + 20, 1)
        for as_of, confirmed_at in ((NOON + 3, NOON + 3), (NOON + 15, NOON + 10)):
            then = history.feed(FEED, as_of)
            assert then is not None
            assert (then.provenance.fetched_at, then.confirmed_at, then.records) == (NOON, confirmed_at, 2)
        assert history.feed(FEED, NOON - 1) is None
        assert history.feeds(NOON - 1) == ()

    def test_what_cannot_be_read_is_said_since_when_and_until_it_can(self, history: History) -> None:
        one, other = Problem("CVE-2026-0001", "line 3", "bad"), Problem("CVE-2026-0002", "line 1", "worse")
        take(history, NOON, problems=[one, other, one])
        take(history, NOON + 10, problems=[one])
        assert [(found.problem, found.since, found.until) for found in history.unreadable()] == [
            (one, NOON, None),
            (other, NOON, None),
        ]
        take(history, NOON + 20, parsed("CVE-2026-0001"))
        assert [found.problem for found in history.unreadable()] == [other]
        assert [found.problem for found in history.unreadable(NOON + 19)] == [one, other]
        with history.importing(provenance(FEED, NOON + 30), reader=READER) as session:
            session.close((), read=[], whole=True)
        assert history.unreadable() == ()

    def test_another_problem_of_a_record_takes_the_first_ones_place(self, history: History) -> None:
        take(history, NOON, problems=[Problem("CVE-2026-0001", "line 3", "bad")])
        take(history, NOON + 10, problems=[Problem("CVE-2026-0001", "line 4", "worse")])
        assert [(one.problem.what, one.since) for one in history.unreadable()] == [("worse", NOON + 10)]

    def test_a_score_is_exact_now_and_near_then(self, history: History) -> None:
        def rate(at: int, *scores: Score) -> int:
            with history.importing(provenance("epss", at), reader=READER) as session:
                changed = session.rate(scores)
                session.close((), read=[one.cve for one in scores], whole=True)
            return changed

        assert rate(NOON, Score("CVE-2026-0001", 0.022, 0.5), Score("CVE-2026-0002", 0.5, None)) == 2
        assert rate(NOON + 10, Score("CVE-2026-0001", 0.022 + SCORE_STEP / 2, 0.6)) == 1
        assert history.score("CVE-2026-0001") == Score("CVE-2026-0001", 0.022 + SCORE_STEP / 2, 0.6)
        assert history.score("CVE-2026-0001", NOON + 15) == Score("CVE-2026-0001", 0.022, 0.5)
        assert (history.score("CVE-2026-0002"), history.score("CVE-2026-0002", NOON + 9)) == (
            None,
            Score("CVE-2026-0002", 0.5, None),
        )
        assert rate(NOON + 20, Score("CVE-2026-0001", 0.968, 0.99)) == 1
        assert history.score("CVE-2026-0001", NOON + 20) == Score("CVE-2026-0001", 0.968, 0.99)
        assert history.score("CVE-2026-0001", NOON - 1) is None
        state = history.feed("epss")
        assert state is not None
        assert state.records == 1

    def test_records_about_a_cve_or_a_notice_are_found_by_its_name(self, history: History) -> None:
        notice = Parsed(Record("USN-1-1", Kind.NOTICE, "USN-1-1", cves=("CVE-2026-0001",)), ())
        vendor = Parsed(Record("UBUNTU-CVE-2026-0001", Kind.CVE, "CVE-2026-0001", cves=("CVE-2026-0001",)), ())
        take(history, NOON, notice, vendor)
        assert [one.record.id for one in history.about("CVE-2026-0001")] == ["UBUNTU-CVE-2026-0001"]
        assert [one.record.id for one in history.about("USN-1-1")] == ["USN-1-1"]
        assert history.about("CVE-2026-0001", NOON - 1) == ()
        assert {one.record.id for one in history.editions(FEED)} == {"UBUNTU-CVE-2026-0001", "USN-1-1"}
        assert (list(history.editions("kev")), list(history.editions(FEED, NOON - 1))) == ([], [])

    def test_which_records_speak_of_cves_is_told_for_many_at_once(self, history: History) -> None:
        cves = [f"CVE-2026-{number:04}" for number in range(1200)]
        take(history, NOON, Parsed(Record("USN-1-1", Kind.NOTICE, "USN-1-1", published=5, cves=tuple(cves)), ()))
        take(history, NOON, Parsed(Record("USN-2-1", Kind.NOTICE, "USN-2-1", cves=("CVE-2026-0007",)), ()))
        take(history, NOON, Parsed(Record("CVE-2026-0007", Kind.CVE, "CVE-2026-0007", cves=("CVE-2026-0007",)), ()))
        assert history.naming(["CVE-2026-0007", "CVE-1-1"], Kind.NOTICE) == (
            Naming("CVE-2026-0007", "USN-1-1", FEED, 5),
            Naming("CVE-2026-0007", "USN-2-1", FEED, None),
        )
        assert len(history.naming(cves, Kind.NOTICE)) == 1201
        assert history.naming(cves, Kind.NOTICE, NOON - 1) == ()
        # Another edition no longer speaks of it: at this very moment, and later.
        take(history, NOON, Parsed(Record("USN-2-1", Kind.NOTICE, "USN-2-1", cves=("CVE-2026-0008",)), ()))
        take(history, NOON + 5, Parsed(Record("USN-1-1", Kind.NOTICE, "USN-1-1", cves=("CVE-2026-0009",)), ()))
        assert history.naming(["CVE-2026-0007"], Kind.NOTICE) == ()
        assert [one.about for one in history.naming(["CVE-2026-0007"], Kind.NOTICE, NOON)] == ["USN-1-1"]
        assert [one.record.id for one in history.mentions("CVE-2026-0007")] == ["CVE-2026-0007"]

    def test_what_there_is_is_listed_newest_first_a_page_at_a_time(self, history: History) -> None:
        for number, published in enumerate((100, None, 300, 300)):
            take(history, NOON, Parsed(Record(f"CVE-2026-000{number}", Kind.CVE, f"CVE-2026-000{number}",
                                              published=published, modified=400 - number), ()))  # fmt: skip
        newest = ["CVE-2026-0003", "CVE-2026-0002", "CVE-2026-0000", "CVE-2026-0001"]
        assert listed(history) == newest
        assert listed(history, oldest_first=True) == [newest[2], newest[1], newest[0], newest[3]]
        assert listed(history, by=By.MODIFIED) == sorted(newest)
        page = history.listed(Listing(Kind.CVE, limit=2, offset=1))
        assert (page.total, [one.about for one in page.listed]) == (4, newest[1:3])
        assert history.listed(Listing(Kind.CVE, limit=2, offset=4)) == Page(4, ())
        assert history.listed(Listing(Kind.NOTICE)) == Page(0, ())

    def test_lists_are_narrowed_by_words_packages_releases_statuses_priorities_and_cves(self, history: History) -> None:
        first = Record("CVE-2026-0001", Kind.CVE, "CVE-2026-0001", "Überlauf in algif_aead", "An overflow.",
                       cves=("CVE-2026-0001",), severities=(Severity("Ubuntu", "High"),))  # fmt: skip
        second = Record("CVE-2026-0002", Kind.CVE, "CVE-2026-0002", "", "Nothing “flows” over",
                        cves=("CVE-2026-0002",), severities=(Severity("Ubuntu", "low"),))  # fmt: skip
        take(
            history,
            NOON,
            Parsed(first, (statement(Status.NEEDED, about=first.about, package="linux-aws"),)),
            Parsed(second, (statement(Status.RELEASED, about=second.about, package="bash", fixed="1"),)),
        )
        one, two = [first.about], [second.about]
        assert listed(history, words="uberlauf OVER") == one
        assert listed(history, words="flow") == two
        assert listed(history, words="cve-2026-0002") == two
        assert listed(history, words="cve-2026-000") == [*two, *one]
        assert listed(history, words="2026-0001-2") == []
        assert listed(history, words="linux-aws aead") == one
        assert listed(history, words='"*" OR NEAR(') == []
        assert listed(history, words="'; -- ¿?") == []
        assert listed(history, package="inux") == one
        assert listed(history, package="bash", statuses=(Status.NEEDED,)) == []
        assert listed(history, releases=(statement().place.release,), statuses=(Status.RELEASED,)) == two
        assert listed(history, releases=("hoary",)) == []
        assert listed(history, priorities=("high", "critical")) == one
        assert listed(history, by=By.PRIORITY) == [*one, *two]
        assert listed(history, cves=("CVE-2026-0002", "CVE-2026-0009")) == two
        assert listed(history, feeds=(FEED,)) == [*two, *one]
        assert listed(history, feeds=("kev",)) == []

    def test_lists_of_the_past_are_as_they_were(self, history: History) -> None:
        take(history, NOON, Parsed(Record("CVE-2026-0001", Kind.CVE, "CVE-2026-0001", "overflow"), ()))
        take(history, NOON + 10, Parsed(Record("CVE-2026-0001", Kind.CVE, "CVE-2026-0001", "underflow"), ()))
        take(history, NOON + 20, gone=["CVE-2026-0001"])
        assert [listed(history, as_of, words="over") for as_of in (NOON - 1, NOON, NOON + 10)] == [
            [], ["CVE-2026-0001"], [],
        ]  # fmt: skip
        assert [listed(history, as_of, words="under") for as_of in (NOON, NOON + 10, NOON + 20)] == [
            [], ["CVE-2026-0001"], [],
        ]  # fmt: skip
        assert listed(history) == []

    @given(
        st.lists(
            st.dictionaries(st.sampled_from("ab"), st.sampled_from([Status.NEEDED, Status.IGNORED]), max_size=2),
            min_size=1,
            max_size=5,
        )
    )
    @settings(
        max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
    )
    def test_whatever_was_said_each_moment_has_its_answer(
        self, history: History, said: list[dict[str, Status]]
    ) -> None:
        identity = f"CVE-2026-{next(NUMBERS):06}"
        last = history.feed(FEED)
        begin = last.provenance.fetched_at + 10 if last else NOON
        for number, lines in enumerate(said):
            made = [statement(status, about=identity, package=package) for package, status in lines.items()]
            take(history, begin + 2 * number, parsed(identity, *made))
        for number, lines in enumerate(said):
            for at in (begin + 2 * number, begin + 2 * number + 1):
                found = history.said(identity, at)
                assert {one.statement.package: one.statement.status for one in found} == lines
        spans = history.spans(identity)
        assert all(span.until is None or span.since < span.until for span in spans)
