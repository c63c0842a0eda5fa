"""Which bytes a request gets, and under which head (RFC 9110, 13 and 14; threats 21, 22 and 31)."""

import email.utils
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.answer import (
    REASONS,
    Form,
    Part,
    choose,
    content_type,
    date_of,
    head_of,
    http_date,
    refusal_of,
    told,
)
from tidegate.gateway.request import PLAIN, Fields

ETAG = '"0123456789abcdef"'
MODIFIED = "Sun, 22 Nov 2026 10:00:00 GMT"
LATER = "Sun, 22 Nov 2026 10:00:01 GMT"
FORM = Form(1000, ETAG, MODIFIED, "text/plain")
WHOLE = Part(200, 0, 1000)
DATE = b"Sun, 22 Nov 2026 12:00:00 GMT"

ranges = st.one_of(
    st.builds("bytes={}-{}".format, st.integers(0, 2**40), st.integers(0, 2**40)),
    st.builds("bytes={}-".format, st.integers(0, 2**40)),
    st.builds("bytes=-{}".format, st.integers(0, 2**40)),
    st.text(alphabet="bytes=-,0123456789 \t+", max_size=20).map("bytes={}".format),
    st.text(max_size=20),
)
conditions = st.sampled_from([None, ETAG, MODIFIED, LATER, "", "*", f"W/{ETAG}", f'"x", {ETAG}', '"x"'])
requests = st.builds(
    Fields,
    range=st.none() | ranges,
    if_range=conditions,
    if_none_match=conditions,
    if_modified_since=conditions,
)
forms = st.builds(Form, st.integers(0, 2**33), st.just(ETAG), st.just(MODIFIED), st.just("text/plain"))


# Ranges


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", Part(206, 0, 1)),
        ("bytes=0-999", Part(206, 0, 1000)),
        ("bytes=0-1000", Part(206, 0, 1000)),
        ("bytes=500-", Part(206, 500, 1000)),
        ("bytes=999-", Part(206, 999, 1000)),
        ("bytes=999-99999999999999999", Part(206, 999, 1000)),
        ("bytes=-1", Part(206, 999, 1000)),
        ("bytes=-1000", Part(206, 0, 1000)),
        ("bytes=-5000", Part(206, 0, 1000)),
        ("Bytes = 1-2", Part(206, 1, 3)),
        ("bytes=1000-", Part(416, 0, 0)),
        ("bytes=1000-2000", Part(416, 0, 0)),
        ("bytes=-0", Part(416, 0, 0)),
        ("bytes=5-4", WHOLE),
        ("bytes=0-1,3-4", WHOLE),
        ("bytes=0-1, -5", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=--5", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=\u0661-", WHOLE),
        ("bytes=0-99999999999999999999999999", WHOLE),
        ("items=0-1", WHOLE),
        ("0-1", WHOLE),
        ("", WHOLE),
    ],
)
def test_one_range_is_served_and_anything_else_is_the_whole_or_416(asked: str, part: Part) -> None:
    assert choose(FORM, Fields(range=asked), get=True) == part


def test_range_of_a_head_request_counts_for_nothing() -> None:
    assert choose(FORM, Fields(range="bytes=0-0"), get=False) == WHOLE


def test_range_of_nothing_cannot_be_satisfied() -> None:
    empty = Form(0, ETAG, MODIFIED, "text/plain")
    assert choose(empty, Fields(range="bytes=0-"), get=True).status == 416
    assert choose(empty, PLAIN, get=True) == Part(200, 0, 0)


@pytest.mark.parametrize(
    ("validator", "status"),
    [(ETAG, 206), (MODIFIED, 206), (LATER, 200), ('"other"', 200), (f"W/{ETAG}", 200), ("", 200), ("nonsense", 200)],
)
def test_range_goes_with_its_validator(validator: str, status: int) -> None:
    assert choose(FORM, Fields(range="bytes=10-", if_range=validator), get=True).status == status


def test_validator_without_a_range_changes_nothing() -> None:
    assert choose(FORM, Fields(if_range='"other"'), get=True) == WHOLE


# Conditions


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (Fields(if_modified_since=MODIFIED), 304),
        (Fields(if_modified_since=LATER), 200),
        (Fields(if_modified_since="Sunday, 22-Nov-26 10:00:00 GMT"), 200),
        (Fields(if_none_match=ETAG), 304),
        (Fields(if_none_match=f"W/{ETAG}"), 304),
        (Fields(if_none_match=f'"x", {ETAG}'), 304),
        (Fields(if_none_match="*"), 304),
        (Fields(if_none_match='"x"'), 200),
        (Fields(if_none_match='"x"', if_modified_since=MODIFIED), 200),
        (Fields(if_none_match=ETAG, if_modified_since=LATER), 304),
        (Fields(if_modified_since=MODIFIED, range="bytes=0-0"), 304),
    ],
)
def test_unchanged_is_said_only_of_the_very_bytes_that_the_client_has(fields: Fields, status: int) -> None:
    assert choose(FORM, fields, get=True).status == status
    assert choose(FORM, fields, get=False).status == status


@given(forms, requests, st.booleans())
def test_no_request_ever_gets_a_byte_outside(form: Form, fields: Fields, get: bool) -> None:
    part = choose(form, fields, get=get)
    assert part.status in (200, 206, 304, 416)
    assert 0 <= part.start <= part.end <= form.size
    if part.status == 200:
        assert (part.start, part.end) == (0, form.size)
    elif part.status == 206:
        assert get
        assert fields.range is not None
        assert part.start < part.end
        assert fields.if_range in (None, ETAG, MODIFIED)
    else:
        assert part.start == part.end


# Heads


def parsed(head: bytes) -> tuple[str, dict[str, str]]:
    text = head.decode("ascii")
    lines, end, body = text.partition("\r\n\r\n")
    assert end
    assert not body
    status, *fields = lines.split("\r\n")
    named = dict(field.split(": ", 1) for field in fields)
    assert len(named) == len(fields)
    return status, named


@given(forms, requests, st.booleans(), st.booleans())
def test_head_agrees_with_the_bytes_that_follow(form: Form, fields: Fields, get: bool, close: bool) -> None:
    part = choose(form, fields, get=get)
    status, head = parsed(head_of(form, part, date=DATE, how="hit", close=close))
    assert status == f"HTTP/1.1 {part.status} {REASONS[part.status]}"
    assert (head["ETag"], head["Last-Modified"], head["Date"]) == (ETAG, MODIFIED, DATE.decode())
    assert ("Connection" in head) == close
    if part.status in (200, 206):
        assert int(head["Content-Length"]) == part.end - part.start
    if part.status == 206:
        assert head["Content-Range"] == f"bytes {part.start}-{part.end - 1}/{form.size}"
    if part.status == 416:
        assert head["Content-Range"] == f"bytes */{form.size}"
        assert head["Content-Length"] == "0"
    if part.status == 304:
        assert "Content-Length" not in head
        assert "Content-Type" not in head


@given(st.text(max_size=400), st.text(max_size=400), st.none() | st.integers(0, 99), st.booleans(), st.booleans())
def test_refusal_is_one_answer_whatever_its_reason_holds(
    why: str, reason: str, retry_after_s: int | None, close: bool, head_only: bool
) -> None:
    whole = refusal_of(
        403, why, date=DATE, reason=reason, retry_after_s=retry_after_s, close=close, head_only=head_only
    )
    head, _, body = whole.partition(b"\r\n\r\n")
    status, named = parsed(head + b"\r\n\r\n")
    assert status.startswith("HTTP/1.1 403 ")
    assert set(named) <= {
        *("Date", "Content-Type", "Content-Length", "X-Tidegate", "Retry-After", "Connection"),
    }
    assert len(body) == (0 if head_only else int(named["Content-Length"]))
    assert named["X-Tidegate"].startswith("refused; ")
    assert named.get("Retry-After") == (None if retry_after_s is None else str(retry_after_s))


@given(st.text(max_size=1000))
def test_what_is_told_is_visible_ascii_and_bounded(text: str) -> None:
    assert set(told(text)) <= set(string.printable) - set("\t\r\n\x0b\x0c<>")
    assert len(told(text)) <= 200


# Validators and types


@given(st.binary(min_size=32, max_size=32))
def test_date_made_of_a_digest_is_a_date_of_the_past_that_depends_on_nothing_else(digest: bytes) -> None:
    moment = date_of(digest)
    assert 1_000_000_000 <= moment < 1_300_000_000
    assert moment == date_of(bytes(digest))
    assert email.utils.parsedate_to_datetime(http_date(moment)).timestamp() == moment


def test_other_bytes_have_another_date() -> None:
    assert len({date_of(bytes([byte]) * 32) for byte in range(256)}) == 256


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pool/main/h/hello/hello_1.0_amd64.deb", "application/vnd.debian.binary-package"),
        ("dists/stable/InRelease", "text/plain; charset=utf-8"),
        ("dists/stable/main/binary-amd64/Packages", "text/plain; charset=utf-8"),
        ("dists/stable/main/binary-amd64/Packages.xz", "application/x-xz"),
        ("dists/stable/Release.gpg", "application/pgp-signature"),
        ("dists/stable/by-hash/SHA256/00", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_type_follows_from_the_name(path: str, kind: str) -> None:
    assert content_type(path) == kind
