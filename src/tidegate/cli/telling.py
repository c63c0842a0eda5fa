"""How a long-running command tells its news: coloured sentences on a terminal, one JSON line each otherwise.

Where journald reads them, each line begins with its priority (sd-daemon(3)), so that `journalctl -p warning` tells them
apart; docs/logs.md.
"""

import contextlib
import json
import os
import sys
from datetime import UTC, datetime

from tidegate.wiring.news import News, Tell

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
    priorities = _PRIORITIES if _journald_reads() else {}

    def tell(news: News) -> None:
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "level": news.level, "event": news.event, "text": news.text, **news.data})
        sys.stdout.write(f"{priorities.get(news.level, '')}{line}\n")
        sys.stdout.flush()

    return tell


def _journald_reads() -> bool:
    """Whether standard output is journald's, as systemd.exec(5) has it found out."""
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(sys.stdout.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
