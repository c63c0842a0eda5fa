"""Publications that no gateway may serve, by the rows of the project's table of attacks.

Each takes a published archive and publishes news that is broken in one way, so that whoever looks sees a
change. What was only put over the current tree, the next `publish` heals; what is changed in the suite
itself (`md5_only`, `traversal`, `index_bomb`, …) stays until the test sets it back.
"""

import time
from dataclasses import replace

from tests.simulator.archive import SimulatedArchive
from tests.simulator.compression import bomb, with_ending
from tests.simulator.keys import armored_signature, signature_packets, with_signatures
from tests.simulator.suite import Package, packages_index

HOUR_S = 3600


def older_release(archive: SimulatedArchive, suite: str = "stable", by_s: int = HOUR_S) -> None:
    """What the suite holds now, signed well, under a Date before the newest published one."""
    archive.publish(suite, date=archive.release_date(suite) - by_s)


def same_date_other_content(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A split view: the newest Date again over other content. Both are signed well."""
    archive.suite(suite).extra_indices["main/dep11/Components-amd64.yml"] = b"--- {}\n"
    archive.publish(suite, date=archive.release_date(suite))


def future_release(archive: SimulatedArchive, suite: str = "stable", by_s: int = 24 * HOUR_S) -> None:
    """A Date ahead of everybody's clock."""
    archive.publish(suite, date=int(time.time()) + by_s)


def expired_release(archive: SimulatedArchive, suite: str = "stable", by_s: int = HOUR_S) -> None:
    """The newest Release so far, whose Valid-Until passed `by_s` ago."""
    target = archive.suite(suite)
    before, target.valid_for_s = target.valid_for_s, HOUR_S
    archive.publish(suite, date=int(time.time()) - HOUR_S - by_s)
    target.valid_for_s = before


def unsigned(archive: SimulatedArchive, suite: str = "stable") -> None:
    """InRelease without a signature, and no Release.gpg."""
    archive.publish(suite)
    base = archive.suites[suite].base
    archive.replace(f"{base}InRelease", archive.read(f"{base}Release"))
    archive.delete(f"{base}Release.gpg")


def empty_release(archive: SimulatedArchive, suite: str = "stable") -> None:
    """All three Release files with nothing in them."""
    archive.publish(suite)
    base = archive.suites[suite].base
    for name in ("InRelease", "Release", "Release.gpg"):
        archive.replace(f"{base}{name}", b"")


def signed_by_unknown(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A good signature by a key that nobody pinned."""
    archive.publish(suite)
    archive.sign(suite, archive.keys.unknown)


def signed_by_expired(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A good signature by a pinned key, made while it was valid; it has expired since. gpgv exits with 0."""
    archive.publish(suite)
    archive.sign(suite, archive.keys.expired, at=archive.keys.sign_while_valid())


def bad_second_signature(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A good signature by one pinned key, and beside it a bad one by another."""
    archive.publish(suite)
    base, home = archive.suites[suite].base, archive.keys.home
    release = archive.read(f"{base}Release")
    inrelease = home.clearsign(release, archive.keys.good)
    bad = signature_packets(home.clearsign(b"something else\n", archive.keys.second))
    archive.replace(f"{base}InRelease", with_signatures(inrelease, signature_packets(inrelease) + bad))
    good = signature_packets(home.detached(release, archive.keys.good))
    bad = signature_packets(home.detached(b"something else\n", archive.keys.second))
    archive.replace(f"{base}Release.gpg", armored_signature(good + bad))


def changed_after_signing(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A Release that somebody edited: its signature is bad."""
    archive.publish(suite)
    base = archive.suites[suite].base
    for name in ("InRelease", "Release"):
        body = archive.read(f"{base}{name}")
        archive.replace(f"{base}{name}", body.replace(b"Origin: S", b"Origin: s", 1))


def framed(archive: SimulatedArchive, suite: str = "stable", before: bytes = b"Evil: yes\n\n") -> None:
    """An InRelease with text of somebody's own before the signed part."""
    archive.publish(suite)
    path = f"{archive.suites[suite].base}InRelease"
    archive.replace(path, before + archive.read(path))


def torn(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A mirror caught in mid-sync: Release files of a new publication over the indices of the old.

    Change a package before, or the two publications do not differ.
    """
    old = archive.generation(archive.published)
    base = archive.suites[suite].base
    archive.publish(suite)
    statements = {f"{base}{name}" for name in ("InRelease", "Release", "Release.gpg")}
    for path in archive.paths():
        if not path.startswith(base) or path in statements or path.endswith((".deb", ".dsc")):
            continue
        if (old / path).exists():
            archive.replace(path, (old / path).read_bytes())
        else:
            archive.delete(path)


def wrong_size(archive: SimulatedArchive, path: str, by_bytes: int = 1) -> None:
    """A file that is longer than its index says (shorter, if negative)."""
    body = archive.read(path)
    archive.replace(path, body[:by_bytes] if by_bytes < 0 else body + b"\0" * by_bytes)


def md5_only(archive: SimulatedArchive, suite: str = "stable") -> None:
    """A Release that lists MD5 alone, and Packages likewise."""
    target = archive.suite(suite, hashes=("MD5Sum",), by_hash=False)
    for package in list(target.packages):
        _relist(archive, suite, package, {"SHA256": ""})
    archive.publish(suite)


def traversal(archive: SimulatedArchive, suite: str = "stable", filename: str = "pool/../../../etc/passwd") -> None:
    """One stanza of a signed Packages whose Filename leads out of the archive."""
    _relist(archive, suite, archive.suite(suite).packages[0], {"Filename": filename})
    archive.publish(suite)


def oversized_release(archive: SimulatedArchive, suite: str = "stable", size_bytes: int = 32 << 20) -> None:
    """A well-signed Release of this size."""
    line = " " + "x" * 70 + "\n"
    target = archive.suite(suite)
    target.release_fields["Description"] = "\n" + (line * (size_bytes // len(line) + 1)).rstrip("\n")
    archive.publish(suite)
    del target.release_fields["Description"]


def index_bomb(archive: SimulatedArchive, ending: str, suite: str = "stable", size_bytes: int = 1 << 30) -> None:
    """A signed, small Packages.ENDING that unpacks to far more than the Release says Packages has."""
    target = archive.suite(suite, compressions=(ending,))
    path = "Packages" if target.flat else f"{target.components[0]}/binary-{target.architectures[0]}/Packages"
    target.overrides[with_ending(path, ending)] = bomb(ending, size_bytes)
    archive.publish(suite)


def oversized_index(archive: SimulatedArchive, suite: str = "stable", size_bytes: int = 64 << 20) -> None:
    """A signed, uncompressed Packages whose one stanza is longer than any honest one."""
    target = archive.suite(suite, compressions=("",), listed_only=())
    package = target.packages[0]
    long = replace(package, stanza={**package.stanza, "Description": "x" * size_bytes})
    path = "Packages" if target.flat else f"{target.components[0]}/binary-{target.architectures[0]}/Packages"
    target.overrides[path] = packages_index([long])
    archive.publish(suite)


def _relist(archive: SimulatedArchive, suite: str, package: Package, fields: dict[str, str]) -> None:
    """List a package with other fields; an empty one leaves the stanza."""
    target = archive.suite(suite)
    stanza = {key: value for key, value in {**package.stanza, **fields}.items() if value}
    place = target.packages.index(package)
    target.packages[place] = replace(package, stanza=stanza)


# A source that shows any of these has nothing to be adopted from it, whatever was served before.
UNACCEPTABLE = {
    "older": older_release,
    "same date, other content": same_date_other_content,
    "from the future": future_release,
    "expired": expired_release,
    "unsigned": unsigned,
    "empty": empty_release,
    "signed by an unknown key": signed_by_unknown,
    "signed by an expired key": signed_by_expired,
    "a bad signature beside a good one": bad_second_signature,
    "changed after signing": changed_after_signing,
    "text before the signed part": framed,
    "torn": torn,
    "only MD5": md5_only,
    "a path out of the archive": traversal,
    "oversized": oversized_release,
}
