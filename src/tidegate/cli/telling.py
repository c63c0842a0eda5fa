"""How a long-running command tells its news: coloured sentences on a terminal, one JSON line each otherwise."""

import sys
from functools import cache
from typing import TYPE_CHECKING

from tidegate.wiring.news import News, Tell

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_STYLES = {"info": "", "warning": "yellow", "error": "bold red"}
_MARKS = {"adopted": "[green]✓[/green] ", "confirmed": "[green]✓[/green] ", "listening": "[bold cyan]▸[/bold cyan] "}


def teller(*, as_json: bool) -> Tell:
    """For this standard output."""
    return _for_people() if sys.stdout.isatty() and not as_json else _for_machines()


def _for_people() -> Tell:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)

    def tell(news: News) -> None:
        text = _MARKS.get(news.event, "  ") + escape(news.text)
        console.print(f"[dim]{console.get_datetime():%H:%M:%S}[/dim] {text}", style=_STYLES[news.level], soft_wrap=True)

    return tell


def _for_machines() -> Tell:
    def tell(news: News) -> None:
        getattr(_log(), news.level)(news.event, text=news.text, **news.data)
        sys.stdout.flush()

    return tell


@cache
def _log() -> "FilteringBoundLogger":
    """Made when there is something to tell: the import takes longer than the store takes to open."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    log: FilteringBoundLogger = structlog.get_logger()
    return log
