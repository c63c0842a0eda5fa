"""What is published in every history: two suites, a publication each few minutes, signed once for all histories.

Everything but the keys is the same in every run: packages and indices follow from their names and versions alone.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.simulator.debs import File
from tests.simulator.keys import Key, KeyHome
from tests.simulator.suite import Package, Suite
from tidegate.trust.keyring import Keyring, load_keyring

BEGIN = 1_717_200_000
"""The Date of the first publications (epoch seconds): 1 June 2024, long after the keys were made."""
KEYS_MADE = BEGIN - 365 * 86_400
PUBLICATION_EVERY_S = 150
PUBLICATIONS = 8
SUITES = ("stable", "stable-security")
BY_HASH_GENERATIONS = 3
CONTENTS_BYTES = 60_000
SIZES = (700, 1_300, 2_900, 6_000, 12_000, 30_000, 90_000, 200_000, 400_000, 700_000)
"""Of the packages: some are answered whole, some streamed, some hashed in a thread."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Publication:
    """A suite as it was published at `date`: its files, by their path below the archive."""

    suite: str
    date: int
    files: Mapping[str, bytes] = field(repr=False)
    packages: tuple[str, ...] = field(repr=False)
    """Paths in the pool."""
    statements: Mapping[str, bytes] = field(repr=False)
    """Other InReleases that somebody could show in this one's place, by the name of what is wrong with them."""

    @property
    def inrelease(self) -> str:
        """The path of its signed statement."""
        return f"dists/{self.suite}/InRelease"


@dataclass(frozen=True, slots=True)
class Vendor:
    """All publications, by suite and in order, and every file of the pool, from which nothing is ever removed."""

    keyring: Keyring
    suites: Mapping[str, tuple[Publication, ...]] = field(repr=False)
    pool: Mapping[str, bytes] = field(repr=False)
    vouched: Mapping[str, frozenset[bytes]] = field(repr=False)
    """The SHA-256 of every version of every file that the vendor's signatures ever accounted for."""
    dates: Mapping[bytes, int] = field(repr=False)
    """The Date of each signed InRelease, by its SHA-256."""

    def shown(self, suite: str, moment: float) -> int:
        """The place of the publication that was the newest at a time (epoch seconds)."""
        last = len(self.suites[suite]) - 1
        return min(last, max(0, int((moment - BEGIN) // PUBLICATION_EVERY_S)))


@contextmanager
def vendor() -> Iterator[Vendor]:
    """Make keys, publish everything, sign it. Takes a second; nothing of it changes afterwards."""
    with KeyHome() as home:
        good, unknown = (home.generate(name, created=KEYS_MADE) for name in ("good", "unknown"))
        keyring = load_keyring(home.public(good), "histories")
        assert isinstance(keyring, Keyring)
        pool: dict[str, bytes] = {}
        suites = {name: tuple(_published(home, good, unknown, name, pool)) for name in SUITES}
        yield Vendor(keyring, suites, pool, _vouched(suites, pool), _dates(suites))


def _published(home: KeyHome, good: Key, unknown: Key, name: str, pool: dict[str, bytes]) -> Iterator[Publication]:
    chance = random.Random(name)
    suite = Suite(name, (good,), codename=name, all_style="within", compressions=("xz",), sources=False)
    suite.packages = [_package(f"{name[-3:]}{number}", 0, size, pool) for number, size in enumerate(SIZES)]
    by_hash: list[dict[str, bytes]] = []
    for number in range(PUBLICATIONS):
        if number:
            for place in chance.sample(range(len(SIZES)), 2):
                suite.packages[place] = _package(f"{name[-3:]}{place}", number, SIZES[place], pool)
        suite.extra_indices = {"main/Contents-amd64": chance.randbytes(CONTENTS_BYTES // 2).hex().encode()}
        date = BEGIN + number * PUBLICATION_EVERY_S
        listed, served = suite.render(date)
        by_hash = [_by_hash(suite, served), *by_hash][:BY_HASH_GENERATIONS]
        files = {path: body for older in reversed(by_hash) for path, body in older.items()}
        files |= {suite.base + path: body for path, body in served.items()}
        release = suite.release(listed, date)
        files[f"{suite.base}InRelease"] = home.clearsign(release, good, at=date)
        statements = _statements(home, good, unknown, suite, listed, date)
        yield Publication(name, date, files, tuple(one.path for one in suite.packages), statements)


def _package(name: str, version: int, size: int, pool: dict[str, bytes]) -> Package:
    path = f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb"
    body = pool[path] = random.Random(path).randbytes(size)
    sha256 = hashlib.sha256(body).hexdigest()
    stanza = {
        "Package": name,
        "Version": str(version),
        "Architecture": "amd64",
        "Description": f"package {name}",
        "Filename": path,
        "Size": str(size),
        "SHA256": sha256,
    }
    return Package(name, str(version), "amd64", "main", path, File(name, size, "", "", sha256), stanza)


def _by_hash(suite: Suite, served: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        f"{suite.base}{path.rpartition('/')[0]}/by-hash/SHA256/{hashlib.sha256(body).hexdigest()}": body
        for path, body in served.items()
    }


def _statements(
    home: KeyHome, good: Key, unknown: Key, suite: Suite, listed: Mapping[str, bytes], date: int
) -> dict[str, bytes]:
    """What a liar could have: no key at all, another key, old and early words of the vendor's own."""
    release = suite.release(listed, date)
    told_otherwise = replace(suite, release_fields={"Description": "The same Date, other content"})
    over = replace(suite, valid_for_s=-60)
    return {
        "unsigned": release,
        "bad-signature": home.clearsign(release, good, at=date).replace(b"Origin: S", b"Origin: s", 1),
        "unknown-key": home.clearsign(release, unknown, at=date),
        "future": home.clearsign(suite.release(listed, date + DAY_S), good, at=date),
        "expired": home.clearsign(over.release(listed, date), good, at=date),
        "split-view": home.clearsign(told_otherwise.release(listed, date), good, at=date),
    }


def _vouched(suites: Mapping[str, tuple[Publication, ...]], pool: Mapping[str, bytes]) -> dict[str, frozenset[bytes]]:
    found: dict[str, set[bytes]] = {path: {hashlib.sha256(body).digest()} for path, body in pool.items()}
    for publications in suites.values():
        for publication in publications:
            signed = {publication.inrelease: publication.statements["split-view"]}
            for path, body in (*publication.files.items(), *signed.items()):
                found.setdefault(path, set()).add(hashlib.sha256(body).digest())
    return {path: frozenset(digests) for path, digests in found.items()}


def _dates(suites: Mapping[str, tuple[Publication, ...]]) -> dict[bytes, int]:
    return {
        hashlib.sha256(body).digest(): publication.date
        for publications in suites.values()
        for publication in publications
        for body in (publication.files[publication.inrelease], publication.statements["split-view"])
    }
