"""`STATE/tokens.json`: who may do what over the network. Of a token only its SHA-256 is kept.

A token is 256 random bits: there is nothing to guess, so a plain digest is enough, and a look-up by it tells nothing to
whoever measures its time. The file is written whole or not at all, for its owner alone, and read anew when it changes.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

VERSION = 1
TOKENS_MAX = 10_000
FILE_BYTES_MAX = 16 << 20
SECRET_BYTES = 32
SECRET_CHARS_MAX = 256
PREFIX = "tdg_"
"""By which a token that got into a log or a repository is known for one."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_Text = Annotated[str, Meta(max_length=256)]


class Scope(StrEnum):
    """What a token allows, and nothing else."""

    REPORT = "report"
    """Tell what hosts have; it reads nothing."""
    NOTE = "note"
    """Write down notes and actions on incidents; it reads nothing."""


class Token(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token but for its secret. Times are seconds since 1970.

    `hosts` are the ids that it may report, empty for any; `tags` what each host gets that is reported with it.
    """

    name: _Text
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    scope: Scope
    made_at: int
    expires_at: int | None = None
    tags: Annotated[tuple[_Text, ...], Meta(max_length=32)] = ()
    hosts: Annotated[tuple[_Text, ...], Meta(max_length=1000)] = ()

    def expired(self, now: int) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


class TokenError(ValueError):
    """A token that cannot be: a sentence saying why."""


class UnusableTokensError(Exception):
    """The file is there and cannot be read: nobody is let in by what it may have said."""


class _File(Struct, frozen=True):
    version: int
    tokens: tuple[Token, ...] = ()


class TokenFile:
    """The tokens of one gateway; any number of processes may read and change them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._by_digest: dict[str, Token] = {}

    def find(self, secret: str, scope: Scope, now: int) -> Token | None:
        """The token with this secret, if it is for this and its time is not over. Raises UnusableTokensError."""
        digest = hashlib.sha256(secret[:SECRET_CHARS_MAX].encode(errors="surrogatepass")).hexdigest()
        token = self._current().get(digest)
        if token is None or not hmac.compare_digest(token.sha256, digest):
            return None
        return token if token.scope.value == scope.value and not token.expired(now) else None

    def all(self) -> tuple[Token, ...]:
        """By name. Raises UnusableTokensError."""
        return tuple(sorted(self._current().values(), key=lambda one: one.name))

    def add(
        self,
        name: str,
        scope: Scope,
        now: int,
        *,
        expires_at: int | None = None,
        tags: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> tuple[str, Token]:
        """Make a token; its secret is told here and never again. Raises TokenError, UnusableTokensError, OSError."""
        if not _NAME.fullmatch(name):
            raise TokenError("a token's name has up to 64 letters, digits and . _ -, and begins with one of the former")
        if expires_at is not None and expires_at <= now:
            raise TokenError("it would have expired before it was made")
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        token = Token(
            name=name,
            sha256=hashlib.sha256(secret.encode()).hexdigest(),
            scope=scope,
            made_at=now,
            expires_at=expires_at,
            tags=tuple(tags),
            hosts=tuple(hosts),
        )
        with self._changing() as tokens:
            if any(one.name == name for one in tokens):
                raise TokenError(f"there is a token {name!r} already: remove it first, or take another name")
            if len(tokens) >= TOKENS_MAX:
                raise TokenError(f"there are {TOKENS_MAX:,} tokens already")
            tokens.append(token)
        return secret, token

    def remove(self, name: str) -> bool:
        """It lets nobody in from now on. False where there is none. Raises UnusableTokensError, OSError."""
        with self._changing() as tokens:
            left = [one for one in tokens if one.name != name]
            found = len(left) < len(tokens)
            tokens[:] = left
        return found

    def _current(self) -> dict[str, Token]:
        """What the file says now; a look at its inode where it is as it was."""
        with self._lock:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self._seen, self._by_digest = None, {}
                return self._by_digest
            except OSError as error:
                raise UnusableTokensError(f"{self._path}: {error.strerror}") from None
            # A file is replaced, never written into: the inode of the one before may come back, but not in one tick.
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._by_digest = {one.sha256: one for one in self._read()}
                self._seen = seen
            return self._by_digest

    def _read(self) -> tuple[Token, ...]:
        try:
            with self._path.open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
            found = msgspec.json.decode(data, type=_File)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            raise UnusableTokensError(f"{self._path} cannot be read: {error}") from None
        if found.version != VERSION:
            raise UnusableTokensError(f"{self._path} is of version {found.version}; this program reads {VERSION}")
        return found.tokens

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The tokens, to be changed in place; one process at a time."""
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            tokens = list(self._read())
            yield tokens
            self._write(msgspec.json.format(msgspec.json.encode(_File(VERSION, tuple(tokens))), indent=1))
            os.fsync(directory)
        finally:
            os.close(directory)

    def _write(self, data: bytes) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.unlink(missing_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(fd)
            _give_to_owner_of(self._path.parent, fd)
            draft.rename(self._path)
        finally:
            os.close(fd)


def _give_to_owner_of(directory: Path, fd: int) -> None:
    """Root often works for a gateway of another user, who has to be able to read the file afterwards."""
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
