"""What can be had of what the snapshots list: held, or to be fetched now."""

import hashlib

import pytest

from tidegate.archive.packages import Package
from tidegate.fleet.held_supply import HeldSupply
from tidegate.fleet.supply import Offer
from tidegate.store.blobs import verify
from tidegate.store.catalogue import Adoption, Listed, Snapshot
from tidegate.store.marks import MemoryMarks
from tidegate.store.memory_blobs import MemoryBlobs
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.trust.acceptance import Mark

NOW = 1_777_636_800


class Shelf:
    """Snapshots of several suites, and what of them is held."""

    def __init__(self) -> None:
        self.catalogue, self.blobs, self.marks = MemoryCatalogue(), MemoryBlobs(), MemoryMarks()

    def adopt(self, archive: str, suite: str, codename: str, origin: str, *packages: Package, kind: str = "") -> None:
        path = f"dists/{suite}/main/{kind or 'binary-amd64'}/Packages"
        index = hashlib.sha256(f"{archive} {path}".encode()).digest()
        self.catalogue.add_listing(index, packages)
        snapshot = Snapshot(archive, suite, NOW, None, hashlib.sha256(path.encode()).digest(), "http://a", NOW, NOW)
        self.catalogue.adopt(Adoption(snapshot, [Listed(path, index, 1)]))
        self.marks.rise(archive, suite, Mark(NOW, bytes(32), origin, origin, suite, codename, (), NOW))

    def hold(self, package: Package) -> None:
        draft = self.blobs.draft()
        draft.write(content(package.name))
        self.blobs.keep([verify(draft, digest=package.sha256, size=package.size)])

    def offers(
        self, release: str, source: str, *, alone: tuple[str, ...] = (), distribution: str = "ubuntu"
    ) -> list[Offer]:
        supply = HeldSupply(self.catalogue, self.blobs, self.marks, sources=["openssl"], alone=alone)
        return list(supply.offers(distribution, release, source))


def content(name: str) -> bytes:
    return f"the file of {name}".encode()


def listed(name: str, version: str = "3.0-2", source: str = "openssl") -> Package:
    data = content(name)
    path = f"pool/{name}_{version}.deb"
    return Package(path, hashlib.sha256(data).digest(), len(data), name, version, "amd64", source, version)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_a_listed_package_can_be_had_while_its_archive_answers(shelf: Shelf) -> None:
    shelf.adopt("ubuntu", "noble-security", "noble", "Ubuntu", listed("libssl3"))
    assert shelf.offers("noble", "openssl") == [Offer("libssl3", "amd64", "3.0-2", "3.0-2", True, "")]


def test_of_an_archive_that_is_alone_only_what_is_held_can_be_had(shelf: Shelf) -> None:
    shelf.adopt("ubuntu", "noble-security", "noble", "Ubuntu", listed("libssl3"), listed("openssl"))
    shelf.hold(listed("openssl"))
    can = {one.binary: one.obtainable for one in shelf.offers("noble", "openssl", alone=("ubuntu",))}
    assert can == {"libssl3": False, "openssl": True}


def test_a_file_of_another_size_is_not_the_one_that_is_listed(shelf: Shelf) -> None:
    shelf.adopt("ubuntu", "noble", "noble", "Ubuntu", listed("openssl")._replace(size=3))
    shelf.hold(listed("openssl"))
    assert [one.obtainable for one in shelf.offers("noble", "openssl", alone=("ubuntu",))] == [False]


@pytest.mark.parametrize(
    ("suite", "codename", "origin", "expected"),
    [
        ("bookworm-security", "bookworm-security", "Debian", ("debian", "bookworm", "")),
        ("bookworm-updates", "bookworm-updates", "Debian", ("debian", "bookworm", "")),
        ("stable", "bookworm", "Debian", ("debian", "bookworm", "")),
        ("noble-infra-security", "noble", "UbuntuESM", ("ubuntu", "noble", "esm-infra")),
        ("noble-apps-security", "noble", "UbuntuESMApps", ("ubuntu", "noble", "esm-apps")),
        ("noble", "noble", "Docker", ("docker", "noble", "")),
    ],
)
def test_whose_a_suite_is_is_known_by_its_own_words(
    shelf: Shelf, suite: str, codename: str, origin: str, expected: tuple[str, str, str]
) -> None:
    shelf.adopt("whatever", suite, codename, origin, listed("openssl"))
    distribution, release, pocket = expected
    assert [one.pocket for one in shelf.offers(release, "openssl", distribution=distribution)] == [pocket]
    others = {"ubuntu", "debian", "docker"} - {distribution}
    assert not any(shelf.offers(release, "openssl", distribution=other) for other in others)


@pytest.mark.parametrize("suite", ["noble-backports", "noble-proposed"])
def test_what_hosts_do_not_take_by_themselves_is_no_offer(shelf: Shelf, suite: str) -> None:
    shelf.adopt("ubuntu", suite, suite, "Ubuntu", listed("openssl"))
    assert shelf.offers("noble", "openssl") == []


def test_sources_are_no_binaries_and_what_nobody_asked_for_is_not_kept_in_mind(shelf: Shelf) -> None:
    shelf.adopt("ubuntu", "noble", "noble", "Ubuntu", listed("openssl"), kind="source")
    shelf.adopt(
        "ubuntu",
        "noble-updates",
        "noble",
        "Ubuntu",
        listed("bash", source="bash"),
        listed("linux-image-1-x", source="linux"),
    )
    assert shelf.offers("noble", "openssl") == []
    assert shelf.offers("noble", "bash") == []
    assert [one.binary for one in shelf.offers("noble", "linux")] == ["linux-image-1-x"]
