"""What every `Marks` promises. A subclass of `MarksContract` gives it as the fixture `marks`."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.store.marks import DATES_MAX, Marks
from tidegate.trust.acceptance import Mark

NOW = 1_795_000_000
TEXTS = st.one_of(st.none(), st.text(max_size=20))
MARKS = st.builds(
    Mark,
    date=st.integers(NOW, NOW + 5),
    digest=st.binary(min_size=32, max_size=32),
    origin=st.none(),
    label=st.just("Debian"),
    suite=st.sampled_from(["stable", "testing"]),
    codename=st.none(),
    signers=st.lists(st.sampled_from(["A" * 40, "B" * 40]), unique=True).map(tuple),
    accepted_at=st.integers(NOW, NOW + 5),
)


def mark(date: int = NOW, content: int = 0) -> Mark:
    return Mark(
        date=date,
        digest=bytes([content]) * 32,
        origin="Debian",
        label=None,
        suite="stable",
        codename="bookworm",
        signers=("A" * 40, "B" * 40),
        accepted_at=NOW + 1,
    )


class MarksContract:
    def test_a_suite_that_was_never_accepted_has_no_mark(self, marks: Marks) -> None:
        assert marks.get("debian", "stable") is None
        assert marks.all() == ()

    def test_a_mark_is_kept_with_every_field(self, marks: Marks) -> None:
        marks.rise("debian", "stable", mark())
        assert marks.get("debian", "stable") == mark()

    def test_a_newer_mark_takes_the_older_ones_place(self, marks: Marks) -> None:
        marks.rise("debian", "stable", mark(NOW))
        marks.rise("debian", "stable", mark(NOW + 1, content=1))
        assert marks.get("debian", "stable") == mark(NOW + 1, content=1)

    def test_a_mark_never_falls(self, marks: Marks) -> None:
        marks.rise("debian", "stable", mark(NOW + 1))
        marks.rise("debian", "stable", mark(NOW, content=1))
        assert marks.get("debian", "stable") == mark(NOW + 1)

    def test_at_the_same_date_other_signers_are_taken_over(self, marks: Marks) -> None:
        marks.rise("debian", "stable", mark())
        marks.rise("debian", "stable", replace(mark(), signers=("C" * 40,)))
        kept = marks.get("debian", "stable")
        assert kept is not None
        assert kept.signers == ("C" * 40,)

    def test_suites_and_archives_have_marks_of_their_own(self, marks: Marks) -> None:
        marks.rise("debian", "stable", mark(NOW + 5))
        marks.rise("debian", "testing", mark(NOW))
        marks.rise("contoso", "stable", mark(NOW + 1))
        assert marks.all() == (
            ("contoso", "stable", mark(NOW + 1)),
            ("debian", "stable", mark(NOW + 5)),
            ("debian", "testing", mark(NOW)),
        )

    def test_the_dates_it_has_stood_at_are_kept_in_order_and_once_each(self, marks: Marks) -> None:
        assert marks.dates("debian", "stable") == ()
        for date in (NOW, NOW + 60, NOW + 60, NOW + 30, NOW + 90):
            marks.rise("debian", "stable", mark(date))
        marks.rise("debian", "testing", mark(NOW + 7))
        assert marks.dates("debian", "stable") == (NOW, NOW + 60, NOW + 90)
        assert marks.dates("debian", "testing") == (NOW + 7,)
        assert marks.dates("contoso", "stable") == ()

    def test_of_many_dates_the_newest_are_kept(self, marks: Marks) -> None:
        for number in range(DATES_MAX + 3):
            marks.rise("debian", "stable", mark(NOW + number))
        assert marks.dates("debian", "stable") == tuple(range(NOW + 3, NOW + 3 + DATES_MAX))

    @given(st.lists(MARKS, min_size=1, max_size=8))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
    def test_whatever_comes_the_newest_date_stands_with_the_last_that_said_it(
        self, marks: Marks, risen: list[Mark]
    ) -> None:
        suite = f"{id(risen)} {len(marks.all())}"  # each example has a suite of its own
        for one in risen:
            before = marks.get("debian", suite)
            marks.rise("debian", suite, one)
            after = marks.get("debian", suite)
            assert after is not None
            assert before is None or after.date >= before.date
        newest = max(one.date for one in risen)
        assert marks.get("debian", suite) == [one for one in risen if one.date == newest][-1]
