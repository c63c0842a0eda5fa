"""Who is asked for which feed follows from the settings, and from what is known only where the owner said so."""

from pathlib import Path

import pytest

from tidegate.advisories.digest_list import listed_digest
from tidegate.advisories.feeds import EPSS, FEEDS
from tidegate.advisories.schedule import JITTER_SHARE, RETRY_MAX_S, next_at
from tidegate.advisories.settings import AdvisoriesSettings, FeedSettings
from tidegate.advisories.subscription import (
    BYTES_MAX,
    INTERVAL_S,
    Subscription,
    companion,
    feed_source,
    file_of,
    subscription_to_path,
    subscriptions_of,
)
from tidegate.archive.errors import FormatError
from tidegate.presets.known_feeds import known_feed, known_feeds
from tidegate.sources.archive import Reach
from tidegate.trust.keyring import Keyring

OWN = "https://mirror.example/osv-all.tar.xz"


def subscribed(settings: AdvisoriesSettings) -> tuple[dict[str, Subscription], tuple[str, ...]]:
    return subscriptions_of(settings, lambda _: Keyring())


def urls(sub: Subscription) -> list[str]:
    return [source.url for source in sub.sources]


def test_without_settings_nobody_is_asked_for_anything() -> None:
    assert subscribed(AdvisoriesSettings()) == ({}, ())


def test_known_feeds_are_the_usual_ones_each_from_where_it_is_known_to_be() -> None:
    found, notes = subscribed(AdvisoriesSettings(known_feeds=True))
    assert notes == ()
    assert set(found) == {"ubuntu-osv", "ubuntu-vex", "debian-tracker", "debian-osv", "kev", EPSS}
    assert urls(found["kev"])[0].startswith("https://www.cisa.gov/")
    assert {source.operator for source in found["kev"].sources} == {"cisa", "github"}
    assert all(source.endpoint.reach is Reach.PUBLIC for sub in found.values() for source in sub.sources)
    assert not any(sub.pages_of for sub in found.values())


def test_a_feed_that_is_named_without_addresses_is_fetched_from_the_known_ones() -> None:
    found, notes = subscribed(AdvisoriesSettings(feed=(FeedSettings(name="ubuntu-notices"),)))
    assert notes == ()
    assert list(found) == ["ubuntu-notices"]
    assert found["ubuntu-notices"].pages_of == "notices"


def test_addresses_of_its_own_come_first_and_alone_unless_known_feeds_are_wanted() -> None:
    own = FeedSettings(name="ubuntu-osv", urls=(OWN,), interval_s=60, file_bytes_max=2048)
    alone = subscribed(AdvisoriesSettings(feed=(own,)))[0]["ubuntu-osv"]
    assert urls(alone) == [OWN]
    assert (alone.interval_s, alone.bytes_max) == (60, 2048)
    assert alone.sources[0].endpoint.reach is Reach.SITE
    both = subscribed(AdvisoriesSettings(known_feeds=True, feed=(own,)))[0]["ubuntu-osv"]
    assert urls(both)[0] == OWN
    assert len(both.sources) == 2


def test_a_file_of_an_api_s_feed_is_not_asked_for_by_the_page() -> None:
    own = FeedSettings(name="ubuntu-notices", urls=("https://mirror.example/notices.json",))
    found = subscribed(AdvisoriesSettings(known_feeds=True, feed=(own,)))[0]["ubuntu-notices"]
    assert (found.pages_of, len(found.sources)) == ("", 1)


def test_a_feed_that_is_switched_off_is_not_fetched_however_known_it_is() -> None:
    off = FeedSettings(name="ubuntu-vex", enabled=False)
    assert "ubuntu-vex" not in subscribed(AdvisoriesSettings(known_feeds=True, feed=(off,)))[0]


def test_what_cannot_be_used_is_told_and_costs_no_other_feed() -> None:
    feeds = (
        FeedSettings(name="own-feed"),
        FeedSettings(name="kev", urls=("https://user:secret@x.example/kev.json",)),
        FeedSettings(name=EPSS),
    )
    found, notes = subscribed(AdvisoriesSettings(feed=feeds))
    assert list(found) == [EPSS]
    assert len(notes) == 2


def test_a_document_of_a_release_is_found_by_its_codename() -> None:
    name = "com.ubuntu.noble.cve.oval.xml.bz2"
    sub = subscribed(AdvisoriesSettings(feed=(FeedSettings(name=name),)))[0][name]
    assert urls(sub) == [f"https://security-metadata.canonical.com/oval/{name}"]
    assert not sub.is_read
    assert known_feed("com.ubuntu.{codename}.cve.oval.xml.bz2") is None
    assert known_feed("com.ubuntu.no/ble.cve.oval.xml.bz2") is None


def test_a_feed_of_another_name_has_limits_too() -> None:
    own = FeedSettings(name="own.json", urls=("https://x.example/own.json",))
    sub = subscribed(AdvisoriesSettings(feed=(own,)))[0]["own.json"]
    assert (sub.interval_s, sub.bytes_max) == (INTERVAL_S, BYTES_MAX)


def test_every_known_feed_says_who_says_so_and_that_nobody_was_asked() -> None:
    for feed in known_feeds():
        assert feed.addresses
        assert all("not asked from here" in one.listed_in or "not asked" in one.listed_in for one in feed.addresses)
        assert all(one.url.startswith("https://") for one in feed.addresses)
        assert feed.interval_s >= 3600
    readable = {feed.name for feed in known_feeds() if "{" not in feed.name}
    assert readable == {*FEEDS, EPSS} - {"ubuntu-tracker"}  # a git repository, which is fetched by git and read here


def test_a_path_takes_the_place_of_every_source() -> None:
    like = subscribed(AdvisoriesSettings(feed=(FeedSettings(name="ubuntu-notices"),)))[0]["ubuntu-notices"]
    sub = subscription_to_path("ubuntu-notices", Path("/media/disc"), like)
    assert (urls(sub), sub.pages_of) == (["file:///media/disc"], "")
    assert subscription_to_path("kev", Path("/x"), None).bytes_max > 0


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("https://x.example/osv/osv-all.tar.xz", "osv-all.tar.xz"),
        ("https://x.example/tracker/data/json", "json"),
        ("https://x.example/", "feed"),
        ("https://x.example/a%2F..%2Fb.json", "b.json"),
        ("https://x.example/a?b=c.json", "a"),
        ("https://x.example/.hidden", "hidden"),
        ("/media/feeds/kev.json", "kev.json"),
    ],
)
def test_a_file_is_called_as_at_its_source_and_never_leads_out_of_its_folder(url: str, file: str) -> None:
    assert file_of(feed_source(url, Reach.SITE)) == file


def test_a_list_stands_beside_the_file_or_at_an_address_of_its_own() -> None:
    source = feed_source("https://x.example/osv/osv-all.tar.xz", Reach.PUBLIC)
    endpoint, target = companion(source, "SHA256SUMS")
    assert (endpoint, target) == (source.endpoint, "/osv/SHA256SUMS")
    endpoint, target = companion(source, "https://y.example/z.sha256")
    assert (endpoint.host, endpoint.reach, target) == ("y.example", Reach.SITE, "/z.sha256")


DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "line",
    [
        f"{DIGEST}  kev.json",
        f"{DIGEST} *kev.json",
        f"{DIGEST}  ./kev.json\r",
        f"{DIGEST.upper()}  kev.json",
        f"SHA256 (kev.json) = {DIGEST}",
        f"SHA256(kev.json)= {DIGEST}",
        DIGEST,
    ],
)
def test_a_list_of_digests_is_read_in_every_form_that_people_write(line: str) -> None:
    assert listed_digest(f"# a list\n\n{line}\n".encode(), "kev.json").hex() == DIGEST


@pytest.mark.parametrize(
    "text",
    ["", f"{DIGEST}  other.json\n", f"{DIGEST}  kev.json\n{'cd' * 32}  kev.json\n", "<html>", f"{DIGEST[:-1]}\n"],
)
def test_a_list_that_says_nothing_of_a_file_or_two_things_is_no_list(text: str) -> None:
    with pytest.raises(FormatError, match="digest"):
        listed_digest(text.encode(), "kev.json")


def test_a_feed_is_looked_at_again_after_its_interval_and_after_failures_sooner_and_then_less_often() -> None:
    def at(current_at: int | None, tried_at: float | None, failures: int, chance: float = 0.0) -> float:
        return next_at(current_at=current_at, tried_at=tried_at, failures=failures, interval_s=36_000.0, chance=chance)

    assert at(None, None, 0) == 0.0
    assert at(1000, None, 0) == 37_000.0
    assert at(1000, None, 0, 0.999) == pytest.approx(1000 + 36_000 * (1 - JITTER_SHARE), rel=1e-3)
    # What is carried here is old, and looked at no more often for that.
    assert at(1000, 90_000.0, 0) == 126_000.0
    waits = [at(1000, 5000.0, failures) - 5000.0 for failures in range(1, 12)]
    assert waits[:3] == [60.0, 120.0, 240.0]
    assert max(waits) == RETRY_MAX_S
