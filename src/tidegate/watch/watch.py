"""One watched page as a value: its address taken apart, and what counts as a good answer. Pure."""

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.sources.archive import BadAddressError, Endpoint, Reach, endpoint_of, is_literal
from tidegate.watch.settings import WatchSettings

_GZIP = 16 + zlib.MAX_WBITS
_CHARSET = re.compile(r";[ \t]*charset[ \t]*=[ \t]*\"?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE).search


@dataclass(frozen=True, slots=True)
class Watch:
    """A page, and where it is."""

    settings: WatchSettings
    endpoint: Endpoint
    target: str

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def url(self) -> str:
        return self.settings.url


def watches_of(settings: Iterable[WatchSettings]) -> tuple[dict[str, Watch], tuple[str, ...]]:
    """By name, in the order of the settings; and what could not be used, in sentences."""
    found: dict[str, Watch] = {}
    notes: list[str] = []
    for each in settings:
        try:
            found[each.name] = Watch(each, *place_of(each.url, Reach.ANY if each.private else Reach.SITE))
        except BadAddressError as error:
            notes.append(f"{each.name}: {error}")
    return found, tuple(notes)


def place_of(url: str, reach: Reach) -> tuple[Endpoint, str]:
    """Where an address leads; one that is written as a number may be what it says. Raises BadAddressError."""
    endpoint, target = endpoint_of(url, reach)
    if is_literal(endpoint.host) or endpoint.host == "localhost":
        endpoint = Endpoint(endpoint.scheme, endpoint.host, endpoint.port, Reach.ANY)
    return endpoint, target if target.startswith("/") else f"/{target}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as they went over the line. `body` is the payload, its transfer coding taken off;
    not `is_whole` where more of it came than is taken."""

    url: str
    request: bytes
    head: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: float
    is_whole: bool = True


def objection(answer: Exchange, watch: WatchSettings) -> str | None:
    """Why an answer is not the page that is meant; None where it is. An error page or a captive portal is not."""
    if answer.status != watch.status:
        return f"answered {answer.status}"
    packed = answer.headers.get("content-encoding", "")
    body = unpacked(answer.body, packed, watch.copy_bytes_max)
    if body is None:
        return f"is packed as {packed[:40]}, which nobody asked for, and cannot be unpacked"
    if not answer.is_whole and watch.member:
        return f"is longer than {watch.copy_bytes_max:,} bytes"
    if watch.contains and watch.contains not in text_of(body, answer.headers.get("content-type", "")):
        more = "" if answer.is_whole else f" in its first {watch.copy_bytes_max:,} bytes"
        return f"answers, and does not contain “{watch.contains}”{more}: another page, or not all of it"
    return _lacks(body, watch.member) if watch.member else None


def unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes | None:
    """A body without its content coding, to `bytes_max` of it: some hosts pack what nobody asked them to pack. None for
    one that is not gzip."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            try:
                return zlib.decompressobj(_GZIP).decompress(body, bytes_max)
            except zlib.error:
                return None
        case _:
            return None


def _lacks(body: bytes, member: str) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return "answers with something that is not JSON"
    for name in member.split("."):
        if not isinstance(value, dict) or name not in value:
            return f"answers with JSON that has no `{member}`"
        value = value[name]
    return None


def text_of(body: bytes, content_type: str) -> str:
    """A body as text, by the charset that it claims; what cannot be read is replaced."""
    try:
        return body.decode(charset_of(content_type), errors="replace")
    except (LookupError, ValueError):  # no such charset, or one that is none for text
        return body.decode(errors="replace")


def charset_of(content_type: str) -> str:
    """The charset that a Content-Type names; UTF-8 where it names none."""
    found = _CHARSET(content_type)
    return found[1] if found else "utf-8"


def media_type(content_type: str) -> str:
    """`text/html`, for `text/html; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()
