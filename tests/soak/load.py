"""The clients' process: `python -m tests.soak.load PORT RATE FOLDER`. A line of JSON every few seconds: `LoadSample`.

It goes by what the gateway serves, as apt does: InRelease, the index that it lists, the packages that the index lists;
and holds each byte to them. FOLDER/signed has the digests of all InRelease files that were ever published, FOLDER/used
names of packages that the fleet uses, FOLDER/unused those that each are asked for once, a MISS_EVERY_S apart.
Latency is counted from the moment at which a request was due, so that one that waits makes the next ones late as well.
"""

import hashlib
import http.client
import itertools
import lzma
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.soak.samples import LoadSample
from tidegate.drill.process import ALIAS

CONNECTIONS = 8
TELL_EVERY_S = 5.0
LOOK_EVERY_S = 1.0
MISS_EVERY_S = 600.0
RELEASE_SHARE = 0.1
"""Of requests, those for what changes: InRelease."""
ERRORS_SHOWN_MAX = 5
TIMEOUT_S = 60.0
SUITE = "noble-security"
_INDEX = re.compile(rb"^ ([0-9a-f]{64}) +\d+ main/binary-amd64/Packages\.xz$", re.MULTILINE)


class WrongBytesError(Exception):
    """Something else was given than what is listed."""


class Listed:
    """What the gateway serves now, by a client's own look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used = (folder / "used").read_text().split()
        self._index = b""
        self.used: tuple[tuple[str, str], ...] = ()
        """Paths of what the fleet uses, and their digests."""
        self.unused: dict[str, tuple[str, str]] = {}

    def look(self, connection: http.client.HTTPConnection) -> None:
        """Read it anew. Raises OSError, HTTPException, WrongBytesError."""
        signed = self.hold_release(_get(connection, f"dists/{SUITE}/InRelease")[1])
        found = _INDEX.search(signed)
        if found is None or found[1] == self._index:
            return
        packed = _get(connection, f"dists/{SUITE}/main/binary-amd64/by-hash/SHA256/{found[1].decode()}")[1]
        if hashlib.sha256(packed).hexdigest() != found[1].decode():
            raise WrongBytesError("the index")
        stanzas = [_fields(one) for one in lzma.decompress(packed).decode().split("\n\n") if one.strip()]
        known = {one["Package"]: (one["Filename"], one["SHA256"]) for one in stanzas}
        self._index = found[1]
        self.used = tuple(known[name] for name in self._used if name in known)
        self.unused = {name: one for name, one in known.items() if name not in self._used}

    def hold_release(self, body: bytes) -> bytes:
        """Raises WrongBytesError for one that was never published."""
        if hashlib.sha256(body).hexdigest() not in (self._folder / "signed").read_text():
            raise WrongBytesError("an InRelease that was never published")
        return body


class Counted:
    """Of all threads, since it was told last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latency_s: list[float] = []
        self._errors: list[str] = []
        self._counts: Counter[str] = Counter()

    def answered(self, latency_s: float, size: int, how: str) -> None:
        with self._lock:
            self._counts.update(requests=1, bytes=size)
            if how.startswith("hit"):
                self._counts["hits"] += 1
                self._latency_s.append(latency_s)

    def failed(self, why: str, *, is_wrong: bool = False) -> None:
        with self._lock:
            self._counts.update(requests=1, errors=int(not is_wrong), wrong=int(is_wrong))
            self._errors.append(why[:300])

    def told(self, until_s: float) -> LoadSample:
        with self._lock:
            counts, self._counts = self._counts, Counter()
            latency, self._latency_s = sorted(self._latency_s), []
            errors, self._errors = self._errors, []
        at = [1000 * latency[int(len(latency) * share)] for share in (0.5, 0.99)] if latency else [0.0, 0.0]
        return LoadSample(
            until_s=round(until_s, 1),
            requests=counts["requests"],
            hits=counts["hits"],
            bytes=counts["bytes"],
            p50_ms=round(at[0], 2),
            p99_ms=round(at[1], 2),
            worst_ms=round(1000 * latency[-1], 2) if latency else 0.0,
            wrong_bytes=counts["wrong"],
            errors=tuple(errors[:ERRORS_SHOWN_MAX]),
            error_count=counts["errors"],
        )


def ask_for_ever(port: int, rate: float, listed: Listed, counted: Counted, unused: Iterator[str] | None) -> None:
    """One connection: one request each 1/rate seconds, or a package that nobody has asked for where there are such."""
    chance = random.Random(rate)
    connection = _connection(port)
    due = time.perf_counter()
    while True:
        due += 1 / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        path = digest = ""
        if unused is not None:
            path, digest = listed.unused.get(next(unused, ""), ("", ""))
            if not path:
                continue
            connection.close()  # it has been idle for longer than a gateway keeps it
            connection = _connection(port)
        elif chance.random() < RELEASE_SHARE or not listed.used:
            path = f"dists/{SUITE}/InRelease"
        else:
            path, digest = chance.choice(listed.used)
        try:
            how, body = _get(connection, path)
            counted.answered(time.perf_counter() - due, len(body), how)
            if not digest:
                listed.hold_release(body)
            elif hashlib.sha256(body).hexdigest() != digest:
                raise WrongBytesError(path)
        except WrongBytesError as error:
            counted.failed(f"wrong bytes: {error}", is_wrong=True)
        except (OSError, http.client.HTTPException) as error:
            counted.failed(f"{path}: {type(error).__name__}: {error}")
            connection.close()
            connection = _connection(port)


def main(port: int, rate: float, folder: Path) -> None:
    """Until it is killed, or nobody reads what it tells."""
    listed, counted = Listed(folder), Counted()
    looking = _connection(port)
    listed.look(looking)
    unused = iter((folder / "unused").read_text().split())
    rates: list[tuple[float, Iterator[str] | None]] = [(rate / CONNECTIONS, None)] * CONNECTIONS
    for one, names in (*rates, (1 / MISS_EVERY_S, unused)):
        threading.Thread(target=ask_for_ever, args=(port, one, listed, counted, names), daemon=True).start()
    begun = time.monotonic()
    for turn in itertools.count(1):
        time.sleep(max(0.0, begun + turn * LOOK_EVERY_S - time.monotonic()))
        try:
            listed.look(looking)
        except (OSError, http.client.HTTPException, WrongBytesError, lzma.LZMAError) as error:
            counted.failed(f"looking: {type(error).__name__}: {error}", is_wrong=isinstance(error, WrongBytesError))
            looking.close()
            looking = _connection(port)
        if turn % int(TELL_EVERY_S / LOOK_EVERY_S) == 0:
            sys.stdout.buffer.write(msgspec.json.encode(counted.told(time.monotonic() - begun)) + b"\n")
            sys.stdout.buffer.flush()


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[str, bytes]:
    """How it was come by, and the bytes. Raises OSError, HTTPException."""
    connection.request("GET", f"{ALIAS}/{path}")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise OSError(f"{answer.status} {answer.reason}: {answer.getheader('X-Tidegate')}")
    return answer.getheader("X-Tidegate") or "", body


def _fields(stanza: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
