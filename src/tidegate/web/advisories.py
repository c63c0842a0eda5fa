"""All that is told about advisories over HTTP, to machines and to people, wherever it is mounted."""

from collections.abc import Sequence

from starlette.routing import Route

from tidegate.web.advisory_answers import answer_routes
from tidegate.web.advisory_pages import page_routes
from tidegate.web.asking import AdvisoryView
from tidegate.web.pages import Door


def advisory_routes(view: AdvisoryView, doors: Sequence[Door] = ()) -> list[Route]:
    """The routes. `doors`: other pages beside these, for the navigation."""
    return [*answer_routes(view), *page_routes(view, doors)]
