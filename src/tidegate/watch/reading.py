"""What people can read of a copy. Pure."""

import json
import re
from dataclasses import dataclass

from tidegate.watch.plain import CONTROL, Plain, plain_of
from tidegate.watch.warc import CopiedPage
from tidegate.watch.watch import media_type, text_of

PAGES = frozenset({"text/html", "application/xhtml+xml"})
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json").fullmatch
_TEXT = re.compile(r"text/.+|application/(?:[a-z0-9.+-]+\+)?xml|application/(?:toml|yaml|x-yaml|javascript)").fullmatch


CHARS_MAX = 2_097_152
"""Of a page, that are made plain; whoever wants all of it has the copy itself."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A page made plain, or else a text as it is; neither: nothing that people can read. `cut`: not all of it."""

    page: Plain | None = None
    text: str | None = None
    cut: bool = False


def readable(copy: CopiedPage) -> Readable:
    """By what its sender said that it is, and never by guessing: what is no page is shown as text, or not at all."""
    kind = media_type(copy.content_type)
    whole = text_of(copy.body, copy.content_type)
    text, cut = CONTROL.sub("\ufffd", whole[:CHARS_MAX]), len(whole) > CHARS_MAX
    if kind in PAGES:
        return Readable(page=plain_of(text), cut=cut)
    if _JSON(kind):
        return Readable(text=_indented(text), cut=cut)
    if _TEXT(kind) or not kind:
        return Readable(text=text, cut=cut)
    return Readable()


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
