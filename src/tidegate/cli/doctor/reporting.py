"""Whether hosts can report: the port for it, and who has a token."""

import socket
from collections.abc import Iterator
from pathlib import Path

from tidegate.cli.doctor.ports import check_port
from tidegate.cli.render import span
from tidegate.cli.reports import CheckReport
from tidegate.store.layout import Layout
from tidegate.store.tokens import Scope, TokenFile, UnusableTokensError
from tidegate.web.socket_file import socket_address

SOON_S = 14 * 86_400
ANSWER_TIMEOUT_S = 5.0


def check_reporting(listen: str, layout: Layout, now: int) -> Iterator[CheckReport]:
    """Nothing, where nothing listens for reports: that is how it is unless somebody wants it."""
    if listen:
        yield check_port("fleet.listen", listen, listen if _somebody_at(layout.desk) else None)
        yield check_tokens(TokenFile(layout.tokens), now)


def check_tokens(file: TokenFile, now: int) -> CheckReport:
    """Bad: the file cannot be read. Warn: nobody has a token that counts, or the last one ends soon."""
    name, make = "tokens", "Make one with `tidegate fleet token add NAME`."
    try:
        tokens = [one for one in file.all() if one.scope.value == Scope.REPORT.value]
    except UnusableTokensError as error:
        todo = "Put it right, or remove it and make new tokens: nobody can report until then."
        return CheckReport(name=name, state="bad", saw=str(error), todo=todo)
    good = [one for one in tokens if not one.expired(now)]
    if not good:
        saw = "all have expired: no host can report" if tokens else "there is none: no host can report"
        return CheckReport(name=name, state="warn", saw=saw, todo=make)
    last = max(float("inf") if one.expires_at is None else one.expires_at for one in good)
    if last - now < SOON_S:
        return CheckReport(name=name, state="warn", saw=f"the last one expires in {span(last - now)}", todo=make)
    return CheckReport(name=name, state="ok", saw=f"{len(good)} let hosts report")


def _somebody_at(path: Path) -> bool:
    """Whether somebody listens at a socket file."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, socket_address(path) as address:
            sock.settimeout(ANSWER_TIMEOUT_S)
            sock.connect(address)
    except OSError:
        return False
    return True
