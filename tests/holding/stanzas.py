"""Packages indices of a few words each, for resolvers, and packages that a seed makes up."""

from collections.abc import Iterable
from hashlib import sha256
from random import Random

from tidegate.holding.hot_set import Place
from tidegate.holding.universe import PRIORITY, HeldIndex, Universe


def stanza(name: str, version: str = "1", architecture: str = "amd64", **fields: str) -> bytes:
    """One package; fields as keywords, with `_` for `-`; empty ones are left out."""
    path = f"pool/{name}_{version}_{architecture}.deb"
    lines = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "Somebody <somebody@archive.example>",
        "Filename": path,
        "Size": "10",
        "SHA256": sha256(path.encode()).hexdigest(),
        "Description": f"{name}\n it does what it does\n .\n Depends: on nothing",
        **{field.replace("_", "-"): value for field, value in fields.items() if value},
    }
    return "".join(f"{field}: {value}\n" for field, value in lines.items()).encode() + b"\n"


def held(*stanzas: bytes, suite: str = "stable", architecture: str = "amd64", priority: int = PRIORITY) -> HeldIndex:
    """An index of them."""
    place = Place("archive", suite, suite, "main", architecture)
    return HeldIndex(place, [b"".join(stanzas)], priority=priority)


def universe(*stanzas: bytes) -> Universe:
    """One index, one architecture."""
    return Universe([held(*stanzas)], "amd64")


def of_two_architectures(stanzas: Iterable[tuple[str, bytes]]) -> Universe:
    """An index for each of amd64 and i386, from stanzas with their architectures; `all` stands in both."""
    listed = list(stanzas)
    indices = [
        held(*(one for own, one in listed if own in (architecture, "all")), architecture=architecture)
        for architecture in ("amd64", "i386")
    ]
    return Universe(indices, "amd64", foreign=["i386"])


VERSIONS = "123"
VIRTUAL = ("v0", "v1", "v2")


def made_up(seed: int, *, count: int = 14, several: bool) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Packages that know each other, with their architectures (`several`: two), and a few that are wanted."""
    random = Random(seed)
    names = [f"p{number}" for number in range(count)]

    def relation() -> str:
        name = random.choice([*names, *VIRTUAL]) + (random.choice(["", "", ":any"]) if several else "")
        if random.random() >= 0.3:
            return name
        return f"{name} ({random.choice(['>=', '<<', '=', '<=', '>>'])} {random.choice(VERSIONS)})"

    stanzas = []
    for name in names:
        needs = [
            " | ".join(relation() for _ in range(random.choice((1, 1, 2)))) for _ in range(random.choice((0, 1, 2)))
        ]
        provided = [
            f"{virtual} (= {random.choice(VERSIONS)})" if random.random() < 0.4 else virtual
            for virtual in random.sample(VIRTUAL, random.choice((0, 0, 1)))
        ]
        conflicts = relation() if random.random() < 0.2 else ""
        both = several and random.random() < 0.6
        for architecture in ("amd64", "i386") if both else (random.choice(("amd64", "all")),):
            multi = random.choice(("", "foreign") if architecture == "all" else ("", "same", "foreign", "allowed"))
            for version in random.sample(VERSIONS, random.choice((1, 1, 2))):
                fields = {"Depends": ", ".join(needs), "Provides": ", ".join(provided), "Conflicts": conflicts}
                one = stanza(name, version, architecture, **fields, Multi_Arch=multi if several else "")
                stanzas.append((architecture, one))
    return stanzas, random.sample(names, random.choice((1, 1, 2)))
