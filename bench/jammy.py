"""A fleet of Ubuntu 22.04 that is like real ones: its packages, what was said of them, and how its hosts drift apart.

Packages are those of a real root file system over two years; what is said is Ubuntu's tracker of 9 August 2024 (see
data/README.md). Hosts lag behind by different times, lack packages that their role does not need, hold single ones
back, and have several kernels, of which an older one may run. The same seed makes the same fleet.
"""

import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import zstandard

from tidegate.advisories import statement
from tidegate.archive.versions import version_key
from tidegate.fleet.composition import Piece, Setting, pieces_of
from tidegate.fleet.inventory import Module, Package, Suite
from tidegate.fleet.supply import Offer

DATA = Path(__file__).resolve().parent / "data"
NOW = int(datetime(2024, 8, 9, 12, tzinfo=UTC).timestamp())
RELEASE = ("ubuntu", "jammy")
DAY_S = 24 * 3600

_FLAVOURS = {"generic": "linux", "aws": "linux-aws", "lowlatency": "linux-lowlatency", "azure": "linux-azure"}
_FLAVOUR_WEIGHTS = (60, 25, 5, 10)
_LAGS = ((0, 2, 30), (3, 14, 35), (15, 45, 20), (46, 200, 10), (201, 765, 5))
"""How many days hosts are behind (from, to), and how many in a hundred are."""
_ROLES = 40
_ROLE_LACKS = (0, 30)
_LACKS_MAX, _BEHIND_MAX = 4, 5
"""Sources that a single host lacks, or has in another version than it would by its lag."""
_SUITES = (None, frozenset({Suite("Ubuntu", "jammy-security")}))
_ESM = frozenset(
    {Suite("UbuntuESMApps", "jammy-apps-security"), Suite("UbuntuESM", "jammy-infra-security"), *(_SUITES[1] or ())}
)
_MODULES = (
    (Module("algif_aead", loaded=False, built_in=False, loadable=True, blocked=False),),
    (Module("algif_aead", loaded=True, built_in=False, loadable=True, blocked=False),),
    (Module("algif_aead", loaded=False, built_in=False, loadable=True, blocked=True),),
)
_SILENT_SHARE = 0.02
"""Hosts that have not reported for so long that nothing is known of them."""
_SILENT_S = 9 * DAY_S


@dataclass(frozen=True, slots=True)
class Made:
    """A host as it was made: its pieces are in the order of their sources."""

    identity: str
    setting: Setting
    pieces: Sequence[Piece]
    seen_at: int

    @property
    def packages(self) -> tuple[Package, ...]:
        """As a report has them."""
        return tuple(sorted(one for piece in self.pieces for one in piece))


@dataclass
class Jammy:
    """What all hosts are made of."""

    seed: int = 20261128
    _joins: dict[tuple[Piece, Piece], Piece] = field(default_factory=dict)
    _kernel_pieces: dict[tuple[str, tuple[str, ...]], list[Piece]] = field(default_factory=dict)

    @cached_property
    def sources(self) -> dict[str, str]:
        """The source package of a binary, where it bears another name."""
        table = (DATA / "jammy-sources.tsv").read_text().splitlines()
        return {line.split("\t")[0]: line.split("\t")[1] for line in table}

    def records(self) -> list[statement.Piece]:
        """The tracker's files, one for each CVE."""
        return [
            statement.Piece(f"active/{text[11 : text.index(chr(10))]}", text.encode())
            for text in _read("jammy-statements.txt.zst").decode().split("\n\n")
        ]

    @cached_property
    def states(self) -> list[tuple[int, dict[str, Piece]]]:
        """What the host had, and from when on, up to NOW: by source."""
        found, have = [], dict[str, str]()
        for line in _read("jammy-packages.jsonl.zst").splitlines():
            delta = json.loads(line)
            at = int(datetime.fromisoformat(f"{delta['date']}T00:00+00:00").timestamp())
            if at > NOW:
                break
            have = {binary: one for binary, one in (have | delta["set"]).items() if binary not in delta["removed"]}
            found.append((at, self._by_source(have)))
        return found

    def _by_source(self, have: dict[str, str]) -> dict[str, Piece]:
        packages = [
            Package(binary, "amd64", version, self.sources.get(binary, binary), version)
            for binary, version in have.items()
        ]
        return {piece[0].source: piece for piece in pieces_of(packages)}

    @cached_property
    def kernels(self) -> dict[str, list[str]]:
        """The versions that each flavour's kernel had, oldest first: those that fixed something."""
        text = _read("jammy-statements.txt.zst").decode()
        return {
            flavour: sorted(
                set(re.findall(rf"^jammy_{source}: released \((5\.15\.0-[0-9.]+)\)$", text, re.MULTILINE)),
                key=version_key,
            )
            for flavour, source in _FLAVOURS.items()
        }

    @cached_property
    def roles(self) -> list[frozenset[str]]:
        """What hosts of each role lack, of what not all of them need."""
        rng = random.Random(self.seed)
        sources = sorted(self.states[-1][1])
        return [frozenset(rng.sample(sources, rng.randint(*_ROLE_LACKS))) for _ in range(_ROLES)]

    def host(self, number: int) -> Made:
        """One host; the same number, the same host."""
        rng = random.Random(self.seed * 1_000_003 + number)
        low, high, _ = rng.choices(_LAGS, [share for _, _, share in _LAGS])[0]
        at = NOW - rng.randint(low, high) * DAY_S
        state = max((place for place, (since, _) in enumerate(self.states) if since <= at), default=0)
        have = {s: p for s, p in self.states[state][1].items() if s not in self.roles[number % _ROLES]}
        for source in rng.sample(sorted(have), rng.randint(0, _LACKS_MAX)):
            del have[source]
        for source in rng.sample(sorted(have), rng.randint(0, _BEHIND_MAX)):
            have[source] = self.states[rng.randrange(state + 1)][1].get(source, have[source])
        setting, kernels = self._kernel(rng, (at - self.states[0][0]) / (NOW - self.states[0][0]))
        silent = rng.random() < _SILENT_SHARE
        seen_at = NOW - (_SILENT_S if silent else rng.randint(0, DAY_S))
        have |= {piece[0].source: self._joined(piece, have.get(piece[0].source, ())) for piece in kernels}
        return Made(f"h{number:08}", setting, list(have.values()), seen_at)

    def _joined(self, kernel: Piece, headers: Piece) -> Piece:
        """What a host has of a kernel's source; made once."""
        return self._joins.setdefault((kernel, headers), tuple(sorted(kernel + headers)))

    def changed(self, made: Made, number: int) -> Made:
        """The host after an update of one source, `number` choosing which."""
        newest = self.states[-1][1]
        pieces = list(made.pieces)
        behind = [place for place, piece in enumerate(pieces) if newest.get(piece[0].source, piece) != piece]
        place = behind[number % len(behind)] if behind else number % len(pieces)
        source = pieces[place][0].source
        after = newest.get(source, pieces[place])
        if after == pieces[place]:
            after = tuple(sorted({**{one.binary: one for one in after}, "x": _other(after[0])}.values()))
        pieces[place] = after
        return Made(made.identity, made.setting, pieces, NOW)

    def _kernel(self, rng: random.Random, progress: float) -> tuple[Setting, list[Piece]]:
        flavour = rng.choices(list(_FLAVOURS), _FLAVOUR_WEIGHTS)[0]
        versions = self.kernels[flavour]
        newest = max(0, min(len(versions) - 1, round(progress * (len(versions) - 1))))
        runs = max(0, newest - rng.choices((0, 1, 2, 5), (70, 18, 8, 4))[0])
        kept = sorted({newest, runs, *(max(0, newest - back) for back in range(rng.randint(1, 3)))})
        suites = rng.choices((*_SUITES, _ESM), (10, 60, 30))[0]
        modules = rng.choices(_MODULES, (80, 5, 15))[0]
        setting = Setting(*RELEASE, _uname(versions[runs], flavour), suites, modules)
        key = flavour, tuple(versions[place] for place in kept)
        if key not in self._kernel_pieces:
            self._kernel_pieces[key] = _kernel_pieces(*key)
        return setting, self._kernel_pieces[key]


def _other(package: Package) -> Package:
    return Package(f"{package.binary}-extra", "amd64", package.version, package.source, package.source_version)


def _kernel_pieces(flavour: str, versions: tuple[str, ...]) -> list[Piece]:
    source = _FLAVOURS[flavour]
    found = []
    for version in versions:
        name = _uname(version, flavour)
        signed = source.replace("linux", "linux-signed", 1)
        found.append(Package(f"linux-image-{name}", "amd64", version, signed, version))
        found.append(Package(f"linux-modules-{name}", "amd64", version, source, version))
    newest = versions[-1].replace("-", ".")
    found.append(Package(f"linux-image-{flavour}", "amd64", newest, source.replace("linux", "linux-meta", 1), newest))
    return pieces_of(found)


def _uname(version: str, flavour: str) -> str:
    return f"{version.rpartition('.')[0]}-{flavour}"


class Stock:
    """What a gateway lists and holds: the newest state, but for one source in twenty."""

    def __init__(self, jammy: Jammy) -> None:
        newest = jammy.states[-1][1]
        kernels = [_kernel_pieces(flavour, (versions[-1],)) for flavour, versions in jammy.kernels.items()]
        self._offers: dict[str, list[Offer]] = defaultdict(list)
        for place, piece in enumerate([*newest.values(), *(one for some in kernels for one in some)]):
            for one in piece:
                offer = Offer(one.binary, "amd64", one.version, one.source_version, obtainable=place % 20 != 0)
                self._offers[one.source].append(offer)

    def offers(self, distribution: str, release: str, source: str) -> Sequence[Offer]:
        """As the port has it."""
        return self._offers.get(source, ()) if (distribution, release) == RELEASE else ()


def hosts(jammy: Jammy, count: int) -> Iterator[Made]:
    """The first hosts."""
    return map(jammy.host, range(count))


def _read(name: str) -> bytes:
    with (DATA / name).open("rb") as packed:
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed)).read()
