"""Somebody else's page made plain: its words and their order, and nothing that acts. Pure, in time linear in the page.

What comes out consists of tags of ours, without attributes, and of escaped text: whatever goes in, and however badly it
is taken apart, no script, address, style, form or frame of it is left. Pictures are told by their alternative text.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

KEPT = frozenset(
    {"h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "dl", "dt", "dd", "pre", "blockquote", "hr", "br"}
    | {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "strong", "b", "em", "i", "code", "kbd"}
    | {"samp", "sub", "sup", "s", "del", "ins", "small", "abbr", "time"}
)
_LISTS, _TABLES = frozenset({"ul", "ol"}), frozenset({"table", "tr"})
PLACES = {"li": _LISTS, "dt": frozenset({"dl"}), "dd": frozenset({"dl"}), **dict.fromkeys(("tr", "td", "th"), _TABLES)}
CONTAINERS = frozenset({*_LISTS, "dl", *_TABLES})
ITEMS = {"ul": "li", "ol": "li", "dl": "dd"}
ALONE = frozenset({"hr", "br"})
BLOCKS = frozenset(
    {"h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "dl", "dt", "dd", "pre", "blockquote", "hr", "table"}
    | {"caption", "tr", "div", "section", "article", "header", "footer", "main", "nav", "aside", "form", "fieldset"}
    | {"details", "summary", "figure", "figcaption", "address", "option", "button", "label"}
)
SKIPPED = frozenset(
    {"script", "style", "template", "svg", "math", "iframe", "object", "textarea", "select", "title", "head"}
    | {"noframes"}
)
"""With all that is in them; the first `head` up to where it ends or the body begins, and no other."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What is no text: it would move a terminal's cursor, or turn words round."""
DEPTH_MAX = 200
TAG_CHARS_MAX = 4_096
_BEGINS = re.compile(r"<[a-zA-Z/!?]").match
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(slots=True)
class Plain:
    """A page made plain. `title` may be empty."""

    title: str = ""
    markup: str = ""
    text: str = ""


@dataclass(slots=True)
class _Page:
    """What is being written."""

    markup: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def word(self, text: str) -> None:
        pre = "pre" in self.open
        text = CONTROL.sub("\ufffd", html.unescape(text))
        said = text if pre else " ".join(text.split())
        if not said.strip():
            if text and self.text and not self.text[-1].endswith((" ", "\n")):
                self.markup.append(" ")
                self.text.append(" ")
            return
        self._room()
        if not pre:
            said = (" " if text[0].isspace() else "") + said + (" " if text[-1].isspace() else "")
        self.markup.append(html.escape(said))
        self.text.append(said)

    def begin(self, name: str) -> None:
        if name in BLOCKS:
            self._line()
        if name in ("td", "th"):
            self.text.append("  ")
        if name == "li":
            self.text.append("- ")
        if name == "br":
            self.text.append("\n")
        if name not in KEPT or not self._may_stand_here(name):
            return
        if name not in PLACES:
            self._room()
        if name in ALONE:
            self.markup.append(f"<{name}>")
        elif len(self.open) < DEPTH_MAX:
            self.markup.append(f"<{name}>")
            self.open.append(name)

    def _room(self) -> None:
        """A list has items and nothing else in it."""
        item = ITEMS.get(self.open[-1]) if self.open else None
        if item is not None:
            self.markup.append(f"<{item}>")
            self.open.append(item)

    def _may_stand_here(self, name: str) -> bool:
        """What stands in lists or tables stands nowhere else: there it would be nothing to a screen reader."""
        around = PLACES.get(name)
        return around is None or next((one for one in reversed(self.open) if one in CONTAINERS), "") in around

    def end(self, name: str) -> None:
        if name in self.open:
            while self.open:
                last = self.open.pop()
                self.markup.append(f"</{last}>")
                if last == name:
                    break
        if name in BLOCKS:
            self._line()

    def close(self) -> None:
        self.markup += [f"</{name}>" for name in reversed(self.open)]

    def _line(self) -> None:
        self.text.append("\n")


def plain_of(page: str) -> Plain:
    """An HTML page."""
    made, made_of = Plain(), _Page()
    for kind, said in _pieces(page):
        match kind:
            case "title":
                made.title = made.title or " ".join(html.unescape(said).split())[:300]
            case "text":
                made_of.word(said)
            case "begin":
                made_of.begin(said)
            case "end":
                made_of.end(said)
            case _ if said:
                made_of.word(f" [{said}] ")
    made_of.close()
    made.markup = "".join(made_of.markup)
    made.text = _tidy("".join(made_of.text))
    return made


def _tidy(text: str) -> str:
    """No blanks at ends of lines, at most one empty line."""
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip()
        if line.strip() or (lines and lines[-1]):
            lines.append(line if line.strip() else "")
    return "\n".join(lines).strip("\n")


def _pieces(page: str) -> Iterator[tuple[str, str]]:
    """Text, and tags by name: `begin`, `end`, `title`, `picture` with its alternative text."""
    lower = page.translate(_ASCII_LOWER)  # as long as the page, which `lower()` need not be
    at, had_head = 0, False
    while at < len(page):
        open_at = page.find("<", at)
        if open_at != at:
            yield "text", page[at:] if open_at < 0 else page[at:open_at]
        if open_at < 0:
            return
        if page.startswith("<!--", open_at):
            at = _behind(page, "-->", open_at + 4)
            continue
        if not _BEGINS(page, open_at):
            yield "text", "<"
            at = open_at + 1
            continue
        at = _behind(page, ">", open_at)
        is_end = page.startswith("/", open_at + 1)
        name = _name(lower, open_at + 1 + is_end)
        if is_end:
            yield "end", name
        elif name in SKIPPED and not (name == "head" and had_head):
            had_head = had_head or name == "head"
            begun, (at, inside) = at, _skipped(page, lower, name, at)
            yield "title", inside if name == "title" else _title(page, lower, begun, at) if name == "head" else ""
        elif name == "img":
            yield "picture", _attribute(page[open_at : min(at, open_at + TAG_CHARS_MAX)], "alt")
        elif name != "head":
            yield "begin", name


def _behind(page: str, mark: str, at: int) -> int:
    found = page.find(mark, at)
    return len(page) if found < 0 else found + len(mark)


def _name(lower: str, at: int) -> str:
    end = at
    while end < len(lower) and end - at < 20 and lower[end].isascii() and lower[end].isalnum():
        end += 1
    return lower[at:end]


def _skipped(page: str, lower: str, name: str, at: int) -> tuple[int, str]:
    """Where it goes on behind an element of which nothing is shown, and what was in that."""
    ends = [lower.find(f"</{name}", at)]
    if name == "head":
        ends.append(lower.find("<body", at))
    found = min((one for one in ends if one >= 0), default=-1)
    if found < 0:  # it never ends: then all that follows is in it; a page without `</head>` is one without a head
        return (at, "") if name == "head" else (len(page), page[at:])
    return (found if lower.startswith("<body", found) else _behind(page, ">", found)), page[at:found]


def _title(page: str, lower: str, first: int, last: int) -> str:
    """The title in a head."""
    begun = lower.find("<title", first, last)
    if begun < 0:
        return ""
    begun = page.find(">", begun, last)
    ended = lower.find("</title", begun, last)
    return page[begun + 1 : ended] if 0 <= begun < ended else ""


def _attribute(tag: str, name: str) -> str:
    """An attribute's value, where it stands in quotes."""
    at = tag.translate(_ASCII_LOWER).find(f" {name}=")
    if at < 0:
        return ""
    at += len(name) + 2
    quote = tag[at : at + 1]
    if quote not in ('"', "'"):
        return ""
    end = tag.find(quote, at + 1)
    return html.unescape(tag[at + 1 : end])[:300] if end > 0 else ""
