"""What `tidegate verify` will say: all that was seen, and the gateway's own verdict."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tests.simulator.keys import signature_packets, with_signatures
from tests.trust.conftest import DAY_S, RELEASE, Cast, ring_of
from tidegate.presets import load
from tidegate.trust.acceptance import Mark, content_digest
from tidegate.trust.explain import Explanation, explain
from tidegate.trust.verdict import Reason

DATA = Path(__file__).parent.parent / "data" / "trust"
PUBLISHED = 1_795_222_382  # the Date in the test data


def debian(now: int, mark: Mark | None = None, raw: bytes | None = None) -> Explanation:
    (preset,) = (preset for preset in load() if preset.name == "debian-security")
    ring = ring_of(preset.keyring_data(), "debian-archive-keyring.gpg")
    raw = (DATA / "bookworm-security.InRelease").read_bytes() if raw is None else raw
    return explain(raw, ring, mark, now, asked_suite="bookworm-security")


def mark_of(seen: Explanation, **changes: Any) -> Mark:
    assert seen.release
    assert seen.content_sha256
    mark = Mark(
        date=seen.release.date,
        digest=bytes.fromhex(seen.content_sha256),
        origin=seen.release.origin,
        label=seen.release.label,
        suite=seen.release.suite,
        codename=seen.release.codename,
        signers=tuple(sorted(one.primary for one in seen.signatures if one.primary)),
        accepted_at=PUBLISHED + 60,
    )
    return replace(mark, **changes)


def test_published_release_is_explained_in_full() -> None:
    seen = debian(PUBLISHED + 600)
    assert (seen.frame, seen.verdict, seen.reason) == ("cleartext", "accepted", None)
    assert [(one.state, one.algorithm, one.digest) for one in seen.signatures] == [("good", "RSA 4096", "SHA256")] * 2
    assert (
        seen.signatures[0].whose == "Debian Security Archive Automatic Signing Key (11/bullseye) <ftpmaster@debian.org>"
    )
    assert seen.signatures[0].keyring == "debian-archive-keyring.gpg"
    assert seen.release
    assert (seen.release.suite, seen.release.codename) == ("oldstable-security", "bookworm-security")
    assert (seen.release.date, seen.release.age_s, seen.release.expires_in_s) == (PUBLISHED, 600, 7 * DAY_S - 600)
    assert seen.release.indices == {"sha256": (DATA / "bookworm-security.InRelease").read_bytes().count(b"\n ")}
    assert seen.alarms == ()


def test_it_is_unchanged_older_or_split_against_a_mark() -> None:
    now = PUBLISHED + 600
    seen = debian(now)
    assert debian(now, mark_of(seen)).verdict == "unchanged"
    assert debian(now, mark_of(seen, date=PUBLISHED + 1)).reason == Reason.OLDER_THAN_ACCEPTED
    assert debian(now, mark_of(seen, digest=content_digest(b"other"))).reason == Reason.SPLIT_VIEW


def test_expired_release_is_refused_and_still_shown() -> None:
    seen = debian(PUBLISHED + 8 * DAY_S)
    assert (seen.verdict, seen.reason) == ("refused", Reason.EXPIRED)
    assert seen.release
    assert seen.release.expires_in_s == -DAY_S
    assert {one.state for one in seen.signatures} == {"good"}


def test_each_signature_says_why_it_does_not_count(cast: Cast) -> None:
    packets = b"".join(
        signature_packets(cast.clearsign(text, key))
        for key, text in ((cast.good, RELEASE), (cast.unknown, RELEASE), (cast.second, b"X: y\n"))
    )
    raw = with_signatures(cast.clearsign(RELEASE, cast.good), packets)
    seen = explain(raw, cast.ring, None, cast.now)
    assert [one.state for one in seen.signatures] == ["good", Reason.UNKNOWN_KEY, Reason.BAD_SIGNATURE]
    assert [one.key for one in seen.signatures] == [
        cast.good.fingerprint,
        cast.unknown.fingerprint,
        cast.second.fingerprint,
    ]
    assert (seen.verdict, seen.reason) == ("refused", Reason.BAD_SIGNATURE)


def test_release_with_its_detached_signature_is_explained_too(cast: Cast) -> None:
    detached = explain(RELEASE, cast.ring, None, cast.now, signature=cast.detached(RELEASE, cast.good))
    inline = explain(cast.clearsign(RELEASE, cast.good), cast.ring, None, cast.now)
    assert (detached.frame, detached.verdict) == ("detached", inline.verdict)
    assert detached.content_sha256 == inline.content_sha256


def test_page_instead_of_a_release_is_explained_without_guessing(cast: Cast) -> None:
    seen = explain(b"<html>log in</html>", cast.ring, None, cast.now)
    assert (seen.frame, seen.verdict, seen.reason) == ("refused", "refused", Reason.UNSIGNED)
    assert (seen.signatures, seen.release, seen.content_sha256) == ((), None, None)


def test_explanation_goes_through_json_and_back() -> None:
    seen = debian(PUBLISHED)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=Explanation) == seen
