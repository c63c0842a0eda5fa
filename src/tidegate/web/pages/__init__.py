"""Pages for people: templates, one stylesheet, and how they become an answer.

    base.html     the frame of every page: where one is, what there is, how old it is; blocks `title` and `main`
    style.css     all there is of looks, dark and light; no page has a style of its own
    parts.html    macros that pages share
    pictures.html pictures: SVG made here, with the same in words beside it
    status.html   the status page, which stands by itself and has the stylesheet in it; status.atom its feed
    copy.html     somebody else's page, made plain; it is a sandbox
    dashboard.js  the one script, of the one page that updates itself; whole without it

Whatever goes into a template is text: markup in it is shown and does nothing. The policy that is sent along forbids
what a mistake could let through.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from tidegate.answers.age import Age, moment, spoken
from tidegate.incidents.telling import span

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from starlette.requests import Request

STYLE_PATH = "/style.css"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LIVE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # Else its forms would not say where they are from.
    "Referrer-Policy": "same-origin",
}
"""Of a page that updates itself, by a script of ours, and has forms that change something."""
STYLE_MAX_AGE_S = 3600

_PARAGRAPH_END = re.compile(r"\n[ \t\r]*\n\s*")
_LINE_END = re.compile(r"(?<=\S)[ \t\r]*\n(?=[^\s*-])")


@dataclass(frozen=True, slots=True)
class Door:
    """An entry of the navigation."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around a page. `here` is the path of the entry that it belongs to, `note` a line for the footer."""

    doors: Sequence[Door] = ()
    here: str = ""
    age: Age | None = None
    past: bool = False
    note: str = ""

    @property
    def old(self) -> bool:
        """Whether what is told is too old to be believed."""
        return self.age is not None and self.age.old


def page(
    template: str, frame: Frame, status: int = 200, *, headers: "dict[str, str] | None" = None, **values: object
) -> Response:
    """A page as an answer."""
    told = {**HEADERS, **(frame.age.headers() if frame.age else {}), **(headers or {})}
    return Response(render(template, frame, **values), status, told, media_type="text/html; charset=utf-8")


def render(template: str, frame: Frame, **values: object) -> str:
    """A page's markup."""
    return _environment().get_template(template).render(frame=frame, **values)


def paragraphs(text: str) -> list[str]:
    """A text that was broken into lines for a terminal, by paragraphs; lines that are indented or of a list stay."""
    return [_LINE_END.sub(" ", part).strip("\n") for part in _PARAGRAPH_END.split(text) if part.strip()]


def style_route() -> Route:
    """The stylesheet."""
    return file_route(STYLE_PATH, "text/css; charset=utf-8")


def file_route(path: str, media_type: str) -> Route:
    """A file of this package, by its name."""
    data = asset(path.removeprefix("/"))

    def answer(_: "Request") -> Response:
        headers = {"Cache-Control": f"max-age={STYLE_MAX_AGE_S}", "X-Content-Type-Options": "nosniff"}
        return Response(data, headers=headers, media_type=media_type)

    return Route(path, answer, methods=["GET"])


def asset(name: str) -> bytes:
    """The bytes of a file of this package."""
    return files(__package__).joinpath(name).read_bytes()


def octets(count: float) -> str:
    """Bytes for people: `8.8 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def coded(text: str) -> "Markup":
    """A sentence of ours in which a command stands between backticks, as markup."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


@lru_cache(1)
def _environment() -> "Environment":
    # Takes 40 ms, and only who serves pages needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("tidegate.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["day"] = lambda seconds: moment(seconds)[:10]
    made.filters["moment"] = lambda seconds: moment(seconds).replace("T", " ").replace("Z", " UTC")
    made.filters["spoken"] = spoken
    made.filters["paragraphs"] = paragraphs
    made.filters["number"] = lambda value: f"{value:,}"
    made.filters["instant"] = lambda seconds: moment(int(seconds)).replace("T", " ").replace("Z", " UTC")
    made.filters["minute"] = lambda seconds: moment(int(seconds))[:16].replace("T", " ") + " UTC"
    made.filters["stamp"] = lambda seconds: moment(int(seconds))
    made.filters["span"] = span
    made.filters["coded"] = coded
    made.filters["octets"] = octets
    made.filters["rate"] = lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    return made
