"""What sources showed of one suite, held against each other: in whatever order the answers come."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.keeper.sightings import WITNESS_S, Finding, Found, Sighting, Sightings

NOW = 1_795_000_000.0
OLD, NEW = 1_794_990_000, 1_794_993_600


def sighting(
    source: str, date: int = NEW, content: str = "", *, asked: float = NOW, accepted: bool = True, operator: str = ""
) -> Sighting:
    payload = (content or str(date)).encode()
    return Sighting(source, operator or f"operator of {source}", date, payload, asked, accepted)


def test_who_shows_an_older_release_than_another_is_behind_whoever_answered_first() -> None:
    for order in ((OLD, NEW), (NEW, OLD)):
        known, found = Sightings(), list[Found]()
        for date in order:
            found += known.saw(sighting("current" if date == NEW else "lagging", date))
        assert Found(Finding.BEHIND, "lagging", behind_s=NEW - OLD) in found
        assert Found(Finding.CURRENT, "current") in found


def test_who_was_asked_before_the_newest_was_seen_anywhere_is_not_behind_for_that() -> None:
    known = Sightings()
    known.saw(sighting("b", OLD, asked=NOW - 900))
    assert known.saw(sighting("a", NEW)) == (Found(Finding.CURRENT, "a"),)
    assert known.saw(sighting("b", NEW, asked=NOW + 900)) == (Found(Finding.CURRENT, "b"),)


def test_who_was_behind_and_caught_up_is_current() -> None:
    known = Sightings()
    known.saw(sighting("a", NEW))
    assert known.saw(sighting("b", OLD)) == (Found(Finding.BEHIND, "b", behind_s=NEW - OLD),)
    assert known.saw(sighting("b", NEW, asked=NOW + 60)) == (Found(Finding.CURRENT, "b"),)


def test_what_was_accepted_before_a_restart_is_the_measure_too() -> None:
    known = Sightings(sighting("", NEW, asked=float("-inf")))
    assert known.saw(sighting("b", OLD, accepted=False)) == (Found(Finding.BEHIND, "b", behind_s=NEW - OLD),)


def test_one_date_with_two_contents_is_a_split_view_with_both_sides() -> None:
    known = Sightings()
    known.saw(sighting("a", NEW, "one"))
    assert known.split() is None
    assert known.saw(sighting("b", NEW, "two", accepted=False)) == (Found(Finding.SPLIT, "b"),)
    split = known.split()
    assert split is not None
    assert [(one.source, one.payload) for one in split] == [("a", b"one"), ("b", b"two")]
    known.saw(sighting("b", NEW, "one", asked=NOW + 60))
    assert known.split() is None


def test_a_date_from_the_future_makes_nobody_else_behind() -> None:
    known = Sightings()
    known.saw(sighting("a", NEW))
    assert known.saw(sighting("b", NEW + 86_400, accepted=False)) == ()
    assert known.newest == sighting("a", NEW)


def test_nothing_trustworthy_is_a_lie_where_another_source_did_better_at_that_time() -> None:
    before, after = Sightings(), Sightings()
    before.saw(sighting("honest"))
    assert before.doubted("liar", NOW, "unsigned") == (Found(Finding.LIED, "liar", reason="unsigned"),)
    assert after.doubted("liar", NOW, "unsigned") == ()
    assert Found(Finding.LIED, "liar", reason="unsigned") in after.saw(sighting("honest"))
    assert Found(Finding.LIED, "liar", reason="unsigned") not in after.saw(sighting("third"))


def test_where_nobody_does_better_nobody_is_called_a_liar() -> None:
    """A captive portal, a keyring without the vendor's new key: the sources cannot help it."""
    known = Sightings()
    known.saw(sighting("a", asked=NOW - 2 * WITNESS_S))
    assert known.doubted("a", NOW, "unsigned") == ()
    assert known.doubted("b", NOW, "unsigned") == ()
    assert known.doubted("c", NOW, "unknown-key") == ()
    later = known.saw(sighting("a", asked=NOW + 2 * WITNESS_S))
    assert [one.finding for one in later] == [Finding.CURRENT]


def test_the_operators_that_show_a_release_are_counted_once_each_and_as_long_as_they_do() -> None:
    known = Sightings()
    known.saw(sighting("http://a", operator="a"))
    known.saw(sighting("https://a", operator="a"))
    known.saw(sighting("b", operator="b", asked=NOW - 3600))
    known.saw(sighting("c", OLD, operator="c"))
    new = str(NEW).encode()
    assert known.operators(new) == ("a", "b")
    assert known.operators(new, since=NOW - 60) == ("a",)
    known.doubted("http://a", NOW, "unsigned")
    known.retain(frozenset({"http://a", "b", "c"}))
    assert known.operators(new) == ("b",)


SEEN = st.lists(
    st.builds(
        sighting,
        st.sampled_from("abcd"),
        st.integers(NEW - 3, NEW),
        st.sampled_from(["one", "two"]),
        accepted=st.booleans(),
    ),
    max_size=12,
)


@given(SEEN)
def test_whatever_is_seen_the_newest_accepted_date_is_the_measure_and_nobody_ahead_of_it_is_behind(
    seen: list[Sighting],
) -> None:
    known = Sightings()
    for one in seen:
        for found in known.saw(one):
            shown = known.by_source[found.source]
            assert known.newest is not None
            assert found.behind_s == (known.newest.date - shown.date if found.finding is Finding.BEHIND else 0)
            assert (found.finding is Finding.CURRENT) == (shown.payload == known.newest.payload)
    accepted = [one.date for one in seen if one.accepted]
    assert (known.newest.date if known.newest else None) == max(accepted, default=None)
