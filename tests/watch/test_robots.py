"""robots.txt against RFC 9309: its examples, the holes of other readers, and what holds while it is out of reach."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.watch.robots import (
    AGAIN_S,
    BYTES_MAX,
    FRESH_S,
    Answered,
    Robots,
    Unreachable,
    heard,
    is_due,
    permit,
)

ALLOWED, FORBIDDEN = True, False


def says(text: str) -> Robots:
    return heard(None, Answered(200, text.encode(), "text/plain"), 0.0)


def may(text: str, target: str) -> bool:
    return permit(says(text), target).allowed


# RFC 9309, 5.1 and 5.2, with our name in the place of foobot's.
SIMPLE = """User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: tidegate
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""
LONGEST = "User-Agent: *\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"


@pytest.mark.parametrize(
    ("text", "target", "allowed"),
    [
        (SIMPLE, "/", FORBIDDEN),
        (SIMPLE, "/publications/", FORBIDDEN),
        (SIMPLE, "/example/page.html", ALLOWED),
        (SIMPLE, "/example/allowed.gif", ALLOWED),
        (LONGEST, "/example/page/", ALLOWED),
        (LONGEST, "/example/page/disallowed.gif", FORBIDDEN),
        ("User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", ALLOWED),  # 2.2.2: as long, then the least restrictive
        ("User-agent: *\nDisallow: /a\nAllow: /a/b\n", "/a/b/c", ALLOWED),
        ("User-agent: *\nDisallow: /*.gif$\n", "/x/y.gif", FORBIDDEN),
        ("User-agent: *\nDisallow: /*.gif$\n", "/x/y.gif?z", ALLOWED),
        ("User-agent: *\nDisallow: /a%3Cd%3E\n", "/a%3cd%3e", FORBIDDEN),
        ("User-agent: *\nDisallow: /foo/bar/%62%61%7A\n", "/foo/bar/baz", FORBIDDEN),
        ("User-agent: *\nDisallow: /status?full\n", "/status?full=1", FORBIDDEN),
        ("User-agent: *\nDisallow:\n", "/a", ALLOWED),
        ("User-agent: *\nDisallow: / # all of it\n", "/a", FORBIDDEN),
        ("\ufeffUser-agent: *\nDisallow: /\n", "/a", FORBIDDEN),
        ("USER-AGENT: TideGate\nDISALLOW: /\n", "/a", FORBIDDEN),
        ("User-agent: tidegate/0.1 (x)\nDisallow: /\n", "/a", FORBIDDEN),  # 2.2.1: the product token alone counts
        ("User-agent: tide\nDisallow: /\n", "/a", ALLOWED),  # somebody else's, of which ours only begins with
        ("User-agent: tidegate\nAllow: /\n\nUser-agent: *\nDisallow: /\n", "/a", ALLOWED),
        (
            "User-agent: tidegate\nDisallow: /a\n\nUser-agent: x\n\nUser-agent: tidegate\nDisallow: /b\n",
            "/b",
            FORBIDDEN,
        ),
        ("User-agent: x\nUser-agent: tidegate\nDisallow: /\n", "/a", FORBIDDEN),
        ("User-agent: x\nSitemap: http://y/\nUser-agent: tidegate\nDisallow: /\n", "/a", FORBIDDEN),
        ("Disallow: /\n", "/a", ALLOWED),  # of no group
        ("User-agent: *\r\nDisallow: /\r\n", "/a", FORBIDDEN),
        ("User-agent: *\nDisallow: /\n", "/robots.txt", ALLOWED),
    ],
)
def test_it_says_what_the_rfc_says_that_it_says(text: str, target: str, allowed: bool) -> None:
    told = permit(says(text), target)
    assert told.allowed is allowed
    assert bool(told.reason) is not allowed


def test_a_wish_for_pauses_is_heard_and_nonsense_is_none() -> None:
    assert permit(says("User-agent: *\nCrawl-delay: 7.5\n"), "/").crawl_delay_s == 7.5
    assert permit(says("User-agent: *\nCrawl-delay: 1e300\n"), "/").crawl_delay_s == 86_400.0
    for nonsense in ("nan", "inf", "-1", "soon"):
        assert permit(says(f"User-agent: *\nCrawl-delay: {nonsense}\n"), "/").crawl_delay_s == 0.0


FORBIDS = "User-agent: *\nDisallow: /\n"


@pytest.mark.parametrize("gone", [Unreachable("refused"), Answered(503), Answered(429), Answered(500, b"Allow: /")])
def test_what_was_known_holds_while_it_is_out_of_reach_and_where_nothing_was_nobody_may_ask(
    gone: Answered | Unreachable,
) -> None:
    kept = heard(says(FORBIDS), gone, 50.0)
    assert (kept.rules, kept.fetched_at, permit(kept, "/").allowed) == (says(FORBIDS).rules, 0.0, False)
    allowing = heard(says("User-agent: *\nAllow: /\n"), gone, 50.0)
    assert permit(allowing, "/").allowed
    never = heard(None, gone, 50.0)
    assert not permit(never, "/").allowed
    assert "2.3.1.4" in permit(never, "/").reason
    assert permit(heard(never, Answered(404), 60.0), "/").allowed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_host_that_has_none_allows_everything(status: int) -> None:
    assert permit(heard(says(FORBIDS), Answered(status), 50.0), "/").allowed


def test_a_portal_that_answers_for_it_takes_back_no_wish() -> None:
    portal = Answered(200, b"<html>Please log in", "text/html")
    assert not permit(heard(says(FORBIDS), portal, 50.0), "/").allowed
    assert permit(heard(None, portal, 50.0), "/").allowed


def test_it_is_asked_for_again_after_a_day_and_sooner_where_it_could_not_be_had() -> None:
    assert is_due(None, 0.0)
    well = says(FORBIDS)
    assert (is_due(well, FRESH_S - 1), is_due(well, FRESH_S), is_due(well, -1.0)) == (False, True, True)
    failed = heard(well, Unreachable("refused"), 0.0)
    assert (is_due(failed, AGAIN_S - 1), is_due(failed, AGAIN_S)) == (False, True)


def test_what_is_beyond_500_kib_is_not_read_and_patterns_cost_no_time() -> None:
    padding = "#" + "x" * (BYTES_MAX - 10) + "\n"
    assert may(padding + FORBIDS * 2, "/a")
    begun = time.process_time()
    hostile = "User-agent: *\n" + "Disallow: /" + "*a" * 1_000 + "*b\n" * 50
    assert may(hostile, "/" + "a" * 4_000)
    assert time.process_time() - begun < 2.0


@given(st.binary(max_size=400), st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), max_size=30))
def test_whatever_it_is_there_is_an_answer(body: bytes, path: str) -> None:
    told = heard(None, Answered(200, body, "text/plain"), 0.0)
    permit(told, f"/{path}")
