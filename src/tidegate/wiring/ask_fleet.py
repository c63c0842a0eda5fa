"""`tidegate fleet` asks the running desk, or works on its state itself where none runs."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from tidegate.archive.errors import FormatError
from tidegate.config import Gathered
from tidegate.fleet.hosts import TooManyHostsError
from tidegate.fleet.intake import Sent
from tidegate.fleet.sqlite_hosts import SqliteHosts
from tidegate.store.journal import Happening, Value
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.store.tokens import Scope, TokenFile
from tidegate.web.fleet_report import (
    FleetAddReport,
    FleetRemoveReport,
    FleetTagReport,
    HostReport,
    HostsEnd,
    HostShowReport,
    HostsReport,
    TokenAddReport,
    TokenRemoveReport,
    TokensReport,
    hosts_report,
    token_report,
)
from tidegate.wiring.ask import NotRunningError, ask_at, ask_lines
from tidegate.wiring.copying import give_to_owner_of
from tidegate.wiring.fleet import Fleet
from tidegate.wiring.store import layout_of

ANSWER_TIMEOUT_S = 60.0

Report = TypeVar("Report")

_HOST = msgspec.json.Decoder(HostReport)
_END = msgspec.json.Decoder(HostsEnd)


class FleetError(Exception):
    """The desk said no: a sentence."""


class NoHostsError(Exception):
    """Nothing is kept yet: a sentence."""


class FleetDoor:
    """The hosts of one gateway, whether its desk runs or not.

    All raise FleetError, NoHostsError (but for `add`), and OSError.
    """

    def __init__(self, gathered: Gathered, environment: Mapping[str, str]) -> None:
        self._settings = gathered.settings.fleet
        self._layout = layout_of(gathered.settings.store, environment, uid=os.getuid())

    def add(self, sent: Sent) -> FleetAddReport:
        """Take an inventory in."""
        said = sent.said
        release = f"{said.distribution}:{said.release}" if said.distribution else ""
        fields = {"host": said.host, "name": said.name, "release": release, "kernel": said.kernel}
        query = [(key, value) for key, value in fields.items() if value]
        query += [("form", sent.form.value)] if sent.form else []
        query += [("tag", tag) for tag in sorted(sent.tags)]
        headers = {"Content-Encoding": sent.encoding} if sent.encoding else {}
        return self._ask(
            "POST", "/fleet/add", query, FleetAddReport, lambda fleet: fleet.add(sent), sent.data, headers, makes=True
        )

    def list(self, tag: str, *, only_silent: bool) -> HostsReport:
        """All hosts, or those with a tag, or those that are unknown."""
        target = "/fleet/list?" + urlencode([("tag", tag), ("silent", "yes" if only_silent else "no")])
        try:
            lines = ask_lines(self._layout.desk, "GET", target, timeout_s=ANSWER_TIMEOUT_S)
            return _whole(_END.decode(line) if line.startswith(b'{"end":') else _HOST.decode(line) for line in lines)
        except NotRunningError:
            return self._here(lambda fleet: _whole(fleet.list(tag, only_silent=only_silent)))

    def show(self, host: str, at: int | None) -> HostShowReport:
        """One host, now or at a moment."""
        query = [("host", host), *([] if at is None else [("at", str(at))])]
        return self._ask("GET", "/fleet/show", query, HostShowReport, lambda fleet: fleet.show(host, at))

    def tag(self, hosts: Sequence[str], add: frozenset[str], remove: frozenset[str]) -> FleetTagReport:
        """Give hosts tags, and take some from them."""
        query = [("host", host) for host in hosts]
        query += [("add", tag) for tag in sorted(add)] + [("remove", tag) for tag in sorted(remove)]
        return self._ask("POST", "/fleet/tag", query, FleetTagReport, lambda fleet: fleet.tag(hosts, add, remove))

    def remove(self, hosts: Sequence[str]) -> FleetRemoveReport:
        """Forget hosts."""
        query = [("host", host) for host in hosts]
        return self._ask("POST", "/fleet/remove", query, FleetRemoveReport, lambda fleet: fleet.remove(hosts))

    def _ask(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        kind: type[Report],
        here: Callable[[Fleet], Report],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        makes: bool = False,
    ) -> Report:
        target = f"{path}?{urlencode(query)}"
        try:
            told = ask_at(
                self._layout.desk, method, target, timeout_s=ANSWER_TIMEOUT_S, body=body, headers=headers or {}
            )
            return msgspec.json.decode(told, type=kind)
        except KeyError as error:
            raise FleetError(str(error.args[0])) from None
        except NotRunningError:
            return self._here(here, makes=makes)

    def _here(self, here: Callable[[Fleet], Report], *, makes: bool = False) -> Report:
        """On the state itself."""
        if not makes and not self._layout.fleet.exists():
            raise NoHostsError(f"{self._layout.state}: no host has ever reported here")
        try:
            with self._opened() as fleet:
                return here(fleet)
        except (FormatError, TooManyHostsError) as error:
            raise FleetError(str(error)) from None
        except LookupError as error:
            raise FleetError(str(error.args[0])) from None
        except sqlite3.Error as error:
            raise OSError(5, f"the database cannot be used: {error}", str(self._layout.fleet)) from None

    @contextmanager
    def _opened(self) -> Iterator[Fleet]:
        self._layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        hosts = SqliteHosts(self._layout.fleet, hosts_max=self._settings.hosts_max)
        try:
            journal = SqliteJournal(self._layout.journal)
            try:
                _give(self._layout.fleet, self._layout.state)
                _give(self._layout.journal, self._layout.state)
                yield Fleet(hosts, self._settings, _noting(journal))
            finally:
                journal.close()
        finally:
            hosts.close()


def _whole(values: Iterable[HostReport | HostsEnd]) -> HostsReport:
    """A list of hosts that came to its end. Raises ConnectionResetError where it did not."""
    hosts: list[HostReport] = []
    with suppress(msgspec.DecodeError):  # half a line
        for value in values:
            match value:
                case HostReport():
                    hosts.append(value)
                case HostsEnd(end=count, at=at, host_max_s=host_max_s) if count == len(hosts):
                    return hosts_report(hosts, at, host_max_s)
    raise ConnectionResetError(errno.ECONNRESET, "the desk ended in the middle of its answer")


class TokenDoor:
    """The tokens of one gateway: a file, whether anything runs or not. All raise UnusableTokensError and OSError."""

    def __init__(self, gathered: Gathered, environment: Mapping[str, str]) -> None:
        self._layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
        self._file = TokenFile(self._layout.tokens)

    def add(
        self, name: str, scope: Scope, *, expires_at: int | None, tags: Sequence[str], hosts: Sequence[str]
    ) -> TokenAddReport:
        """Make a token that allows one thing. Raises TokenError."""
        self._layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        now = int(time.time())
        secret, token = self._file.add(
            name, scope, now, expires_at=expires_at, tags=sorted(set(tags)), hosts=sorted(set(hosts))
        )
        self._note("token-added", name, scope=token.scope.value)
        return TokenAddReport(secret=secret, token=token_report(token, now))

    def list(self) -> TokensReport:
        """All of them, by name."""
        now = int(time.time())
        return TokensReport(at=now, tokens=tuple(token_report(one, now) for one in self._file.all()))

    def remove(self, names: Sequence[str]) -> TokenRemoveReport:
        """They let nobody in from now on."""
        removed, unknown = [], []
        for name in names:
            if self._layout.tokens.exists() and self._file.remove(name):
                removed.append(name)
                self._note("token-removed", name)
            else:
                unknown.append(name)
        return TokenRemoveReport(removed=tuple(removed), unknown=tuple(unknown))

    def _note(self, kind: str, subject: str, **data: Value) -> None:
        journal = SqliteJournal(self._layout.journal)
        try:
            _give(self._layout.journal, self._layout.state)
            _noting(journal)(kind, subject, **data)
        finally:
            journal.close()


def _noting(journal: SqliteJournal) -> Callable[..., None]:
    def note(kind: str, subject: str, **data: Value) -> None:
        journal.append([Happening(kind, subject, data)])

    return note


def _give(path: Path, directory: Path) -> None:
    """A file that root has just made is its gateway's, whose it is to write; SQLite sees to those beside it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        give_to_owner_of(fd, directory)
    finally:
        os.close(fd)
