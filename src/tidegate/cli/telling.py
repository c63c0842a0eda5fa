"""How a long-running command tells its news: coloured sentences on a terminal, one JSON line each otherwise.

Where journald reads them, each line begins with its priority (sd-daemon(3)), so that `journalctl -p warning` tells them
apart; docs/logs.md.
"""

import contextlib
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from tidegate.wiring.news import News, Tell

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_STYLES = {"info": "", "warning": "yellow", "error": "bold red"}
_MARKS = {"adopted": "[green]✓[/green] ", "confirmed": "[green]✓[/green] ", "listening": "[bold cyan]▸[/bold cyan] "}
_PRIORITIES = {"info": "<6>", "warning": "<4>", "error": "<3>"}


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


def _journald_reads() -> bool:
    """Whether standard output is journald's, as systemd.exec(5) has it found out."""
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(sys.stdout.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False


@cache
def _log() -> "FilteringBoundLogger":
    """Made when there is something to tell: the import takes longer than the store takes to open."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(ensure_ascii=True),
            *([_with_priority] if _journald_reads() else []),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    log: FilteringBoundLogger = structlog.get_logger()
    return log


def _with_priority(logger: object, level: str, line: Any) -> str:
    del logger
    return f"{_PRIORITIES[level]}{line}"
