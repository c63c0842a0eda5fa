"""The rules by which a signed Release becomes the truth about a suite: threats 7 to 12 and 14."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.conftest import DAY_S
from tidegate.archive.release import Release
from tidegate.trust.acceptance import (
    Accepted,
    Freshness,
    Mark,
    Rules,
    accept,
    content_digest,
    freshness,
    names_suite,
    read_release,
)
from tidegate.trust.verdict import Reason, Refused, Signed, Signer

NOW = 1_795_000_000
A, B, C = ("A" * 40, "B" * 40, "C" * 40)


def release(*, date: int = NOW - 3600, **fields: Any) -> Release:
    made = Release(
        origin="Simulated",
        label="Simulated",
        suite="stable",
        codename="tidal",
        version="1",
        date=date,
        valid_until=None,
        architectures=("amd64",),
        components=("main",),
        acquire_by_hash=True,
        architecture_all_apart=False,
        entries={},
    )
    return replace(made, **fields)


def signed(text: bytes = b"one\n", *primaries: str, alarms: tuple[Refused, ...] = ()) -> Signed:
    return Signed(text, tuple(Signer(name, name, NOW) for name in primaries or (A,)), alarms)


def accepted(verdict: Accepted | Refused) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


def refused(verdict: Accepted | Refused) -> Reason:
    assert isinstance(verdict, Refused), verdict
    assert verdict.evidence.isascii()
    return verdict.reason


def alarms(verdict: Accepted | Refused) -> list[Reason]:
    return [alarm.reason for alarm in accepted(verdict).alarms]


def first(given_release: Release | None = None, text: bytes = b"one\n") -> Mark:
    """The mark after a first acceptance."""
    return accepted(accept(signed(text), given_release or release(), None, asked_suite="stable", now=NOW)).mark


def test_first_release_of_a_suite_sets_the_mark() -> None:
    verdict = accepted(accept(signed(b"one\n", B, A), release(), None, asked_suite="stable", now=NOW))
    assert verdict.changed
    assert verdict.mark == Mark(
        date=NOW - 3600,
        digest=content_digest(b"one\n"),
        origin="Simulated",
        label="Simulated",
        suite="stable",
        codename="tidal",
        signers=(A, B),
        accepted_at=NOW,
    )


def test_newer_release_moves_the_mark() -> None:
    verdict = accept(signed(b"two\n"), release(date=NOW - 60), first(), asked_suite="stable", now=NOW)
    assert accepted(verdict).changed
    assert accepted(verdict).mark.date == NOW - 60
    assert alarms(verdict) == []


def test_older_release_is_refused_however_well_it_is_signed() -> None:
    older = release(date=NOW - 7200)
    assert refused(accept(signed(b"old\n"), older, first(), asked_suite="stable", now=NOW)) is (
        Reason.OLDER_THAN_ACCEPTED
    )


def test_same_release_is_accepted_as_unchanged_and_keeps_its_time() -> None:
    mark = first()
    verdict = accepted(accept(signed(), release(), mark, asked_suite="stable", now=NOW + 500))
    assert not verdict.changed
    assert verdict.mark == mark


def test_same_release_by_inrelease_and_by_release_gpg_is_no_split_view() -> None:
    mark = first(text=b"one")
    assert not accepted(accept(signed(b"one\n"), release(), mark, asked_suite="stable", now=NOW)).changed


def test_same_date_with_other_content_is_a_split_view() -> None:
    verdict = accept(signed(b"two\n"), release(), first(), asked_suite="stable", now=NOW)
    assert refused(verdict) is Reason.SPLIT_VIEW


@pytest.mark.parametrize(("ahead_s", "fine"), [(0, True), (10, True), (11, False), (DAY_S, False)])
def test_date_in_the_future_is_refused_beyond_the_skew(ahead_s: int, fine: bool) -> None:
    verdict = accept(signed(), release(date=NOW + ahead_s), None, asked_suite="stable", now=NOW)
    assert isinstance(verdict, Accepted) is fine
    if not fine:
        assert refused(verdict) is Reason.FROM_THE_FUTURE


@pytest.mark.parametrize(("left_s", "fine"), [(1, True), (0, True), (-1, False)])
def test_release_is_refused_once_valid_until_has_passed(left_s: int, fine: bool) -> None:
    ending = release(valid_until=NOW + left_s)
    verdict = accept(signed(), ending, None, asked_suite="stable", now=NOW)
    assert isinstance(verdict, Accepted) is fine
    if not fine:
        assert refused(verdict) is Reason.EXPIRED


def test_release_that_ended_before_its_own_date_is_refused_though_our_clock_has_not_got_there() -> None:
    strange = release(date=NOW + 9, valid_until=NOW + 5)
    assert refused(accept(signed(), strange, None, asked_suite="stable", now=NOW)) is Reason.EXPIRED


def test_unchanged_release_is_refused_once_it_has_expired() -> None:
    ending = release(valid_until=NOW + DAY_S)
    mark = first(ending)
    verdict = accept(signed(), ending, mark, asked_suite="stable", now=NOW + 2 * DAY_S)
    assert refused(verdict) is Reason.EXPIRED


def test_clock_that_fell_back_does_not_make_an_expired_release_fresh() -> None:
    mark = first()
    ending = release(date=NOW - 3600, valid_until=mark.date - 1)
    verdict = accept(signed(), ending, mark, asked_suite="stable", now=0)
    assert refused(verdict) is Reason.EXPIRED


def test_clock_before_the_mark_is_an_alarm_and_the_mark_counts_as_now() -> None:
    mark = first()
    verdict = accept(signed(), release(), mark, asked_suite="stable", now=mark.date - DAY_S)
    assert alarms(verdict) == [Reason.CLOCK_BEHIND]
    later = release(date=mark.date + 5)
    assert accepted(accept(signed(b"two\n"), later, mark, asked_suite="stable", now=0)).changed


def test_date_within_the_skew_is_no_alarm_about_our_clock() -> None:
    mark = first(release(date=NOW + 9))
    assert alarms(accept(signed(), release(date=NOW + 9), mark, asked_suite="stable", now=NOW)) == []


@pytest.mark.parametrize("field", ["origin", "label", "codename"])
@pytest.mark.parametrize("value", ["Other", None])
def test_changed_identity_is_refused_unless_it_is_allowed(field: str, value: str | None) -> None:
    other = release(date=NOW - 60, **{field: value})
    mark = first()
    assert refused(accept(signed(b"two\n"), other, mark, asked_suite="stable", now=NOW)) is Reason.INFO_CHANGED
    allowed = accept(signed(b"two\n"), other, mark, asked_suite="stable", now=NOW, rules=Rules(accept_info_change=True))
    assert alarms(allowed) == [Reason.INFO_CHANGED]


def test_testing_that_becomes_stable_is_worth_a_notice_only() -> None:
    mark = accepted(accept(signed(), release(suite="testing"), None, asked_suite="tidal", now=NOW)).mark
    after = accept(signed(b"two\n"), release(date=NOW), mark, asked_suite="tidal", now=NOW)
    assert alarms(after) == [Reason.INFO_CHANGED]


def test_change_of_signer_is_an_alarm_once() -> None:
    verdict = accept(signed(b"two\n", B), release(date=NOW), first(), asked_suite="stable", now=NOW)
    assert alarms(verdict) == [Reason.SIGNERS_CHANGED]
    again = accept(signed(b"two\n", B), release(date=NOW), accepted(verdict).mark, asked_suite="stable", now=NOW)
    assert alarms(again) == []


def test_same_release_signed_anew_moves_the_signers_of_the_mark() -> None:
    verdict = accepted(accept(signed(b"one\n", A, C), release(), first(), asked_suite="stable", now=NOW))
    assert not verdict.changed
    assert verdict.mark.signers == (A, C)
    assert [alarm.reason for alarm in verdict.alarms] == [Reason.SIGNERS_CHANGED]


def test_alarms_about_signatures_are_passed_on() -> None:
    alarm = Refused(Reason.UNKNOWN_KEY, "x")
    assert alarms(accept(signed(alarms=(alarm,)), release(), None, asked_suite="stable", now=NOW)) == [
        Reason.UNKNOWN_KEY
    ]


def test_release_of_another_suite_is_refused_or_an_alarm() -> None:
    assert refused(accept(signed(), release(), None, asked_suite="unstable", now=NOW)) is Reason.WRONG_SUITE
    lenient = accept(signed(), release(), None, asked_suite="unstable", now=NOW, rules=Rules(strict_suite=False))
    assert alarms(lenient) == [Reason.WRONG_SUITE]


@pytest.mark.parametrize(
    ("asked", "suite", "codename", "fits"),
    [
        ("bookworm", "oldstable", "bookworm", True),
        ("oldstable", "oldstable", "bookworm", True),
        ("bookworm-security", "oldstable-security", "bookworm-security", True),
        ("bookworm-updates", "oldstable-updates", "bookworm-updates", True),
        ("noble-updates", "noble-updates", "noble", True),
        ("noble", "noble", "noble", True),
        ("buster/updates", "oldoldstable", "buster", True),
        ("bullseye/updates", "oldstable-security", "bullseye-security", True),
        ("stable/updates", "stable-security", "trixie-security", True),
        ("stable-proposed-updates", "proposed-updates", "trixie-proposed-updates", True),
        ("experimental", "experimental", "rc-buggy", True),
        ("./", None, None, True),
        ("x86_64/", "anything", None, True),
        ("bookworm", "oldstable-security", "bookworm-security", False),
        ("bookworm-updates", "oldstable", "bookworm", False),
        ("noble-security", "noble-updates", "noble", False),
        ("noble/updates", "jammy", "jammy", False),
        ("bookworm", None, None, False),
        ("stable", "", "", False),
    ],
)
def test_suite_names_that_fit(asked: str, suite: str | None, codename: str | None, fits: bool) -> None:
    assert names_suite(release(suite=suite, codename=codename), asked) is fits


def test_release_without_sha256_is_refused_with_that_reason() -> None:
    text = b"Origin: X\nSuite: s\nDate: Sun, 22 Nov 2026 00:00:00 UTC\nMD5Sum:\n"
    verdict = read_release(text)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.WEAK_INDEX_DIGESTS


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Date: never\nSHA256:\n",
        b"Date: Sun, 22 Nov 2026 00:00:00 UTC\nSHA256:\n " + b"0" * 64 + b" 1 ../../etc/passwd\n",
    ],
)
def test_signed_text_that_is_no_release_is_refused(text: bytes) -> None:
    verdict = read_release(text)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.MALFORMED
    assert verdict.evidence.isascii()


def test_freshness_counts_from_the_mark_when_our_clock_is_behind() -> None:
    ending = release(date=NOW, valid_until=NOW + 100)
    mark = first(ending)
    assert freshness(mark, ending, NOW + 30) == Freshness(age_s=30, expires_in_s=70, clock_behind=False)
    assert freshness(mark, ending, NOW - 30) == Freshness(age_s=0, expires_in_s=100, clock_behind=True)
    assert freshness(mark, release(), NOW + 130).expires_in_s is None


publications = st.lists(
    st.tuples(
        st.integers(NOW - 50, NOW + 50),  # Date
        st.sampled_from([b"one", b"two", b"three"]),  # text
        st.integers(NOW - 60, NOW + 60),  # our clock, which may run as it likes
        st.none() | st.integers(NOW - 60, NOW + 60),  # Valid-Until
    ),
    max_size=12,
)


@given(publications=publications)
def test_whatever_is_offered_in_whatever_order_the_mark_never_falls(
    publications: list[tuple[int, bytes, int, int | None]],
) -> None:
    mark: Mark | None = None
    for date, text, now, valid_until in publications:
        offered = release(date=date, valid_until=valid_until)
        verdict = accept(signed(text), offered, mark, asked_suite="stable", now=now)
        if isinstance(verdict, Refused):
            continue
        floor = max(now, mark.date) if mark else now
        assert date <= floor + 10
        assert valid_until is None or valid_until >= floor
        if mark is not None:
            assert date >= mark.date
            assert date > mark.date or content_digest(text) == mark.digest
        assert verdict.mark.date == date
        mark = verdict.mark


@given(publications=publications)
def test_what_was_accepted_is_accepted_again_as_unchanged(
    publications: list[tuple[int, bytes, int, int | None]],
) -> None:
    for date, text, now, valid_until in publications:
        offered = release(date=date, valid_until=valid_until)
        verdict = accept(signed(text), offered, None, asked_suite="stable", now=now)
        if isinstance(verdict, Accepted):
            again = accepted(accept(signed(text), offered, verdict.mark, asked_suite="stable", now=now))
            assert (again.mark, again.changed) == (verdict.mark, False)
