"""Every path of an archive: made canonical, then recognised by its shape.

Theory of operation. A client's request names a path; an index lists paths; the two must meet in exactly one
spelling, or a cache can be made to hold one object under the name of another. So `canonical` undoes the
percent-encoding once and refuses whatever could be undone a second time, and `listed` holds the paths that
indices list to the same rules. `classify` then tells, from the shape alone and from the suites known so far,
what such a path can be. It decides nothing about existence: that is the catalogue's business.

Sources: RFC 3986 (2.1, 3.3), the DebianRepository/Format page of the Debian wiki, and what apt 2.6 was seen
to send: `/repo/./InRelease` for the flat suite `./`, and `%2b`, `%7e`, `%20`, `%253a` in file names.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args
from urllib.parse import quote, unquote_to_bytes

from tidegate.archive.errors import BadPath, excerpt

PATH_CHARS_MAX = 2048
SEGMENT_BYTES_MAX = 255
"""NAME_MAX of Linux file systems: no mirror can hold a longer name."""
ENDINGS = (".xz", ".zst", ".bz2", ".gz", "")
"""Of an index in its compressions; the smallest first, which is what apt itself prefers."""
DIGEST_HEX_CHARS = {"MD5Sum": 32, "SHA1": 40, "SHA256": 64, "SHA512": 128}

# What nearly every path looks like. Segments start with anything but a dot, so neither `.` nor `..` fits, and
# the slash is in no class but its own, so matching takes linear time.
_ORDINARY = re.compile(r"[\w+~:=@,][\w.+~:=@,-]*(?:/[\w+~:=@,][\w.+~:=@,-]*)*", re.ASCII)
_URL_PATH = re.compile(r"[\w.~!$&'()*+,;=:@%/-]*", re.ASCII)  # RFC 3986: pchar and the slash
_MALFORMED_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
# Escapes that a second, careless decoding would turn into structure: dot, slash, backslash, control.
_ESCAPED_STRUCTURE = re.compile(r"%(?:2[ef]|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]+")
_FLAT_INDEX = re.compile(
    r"(?:(?:Packages|Sources)(?:\.diff/Index)?|Contents[\w-]*|Translation-[\w@]+|[a-z]{2,3}(?:_[A-Z]{2,4})?)"
    r"(?:\.(?:gz|xz|zst|bz2|lzma|lz4))?",
    re.ASCII,
)
_BINARY_ENDINGS = (".deb", ".udeb", ".ddeb", ".dsc", ".changes", ".buildinfo")
_SOURCE_PART = re.compile(r".+_.+\.(?:tar|diff)\.(?:gz|xz|zst|bz2|lzma)(?:\.asc|\.sig)?")

ReleaseName: TypeAlias = Literal["InRelease", "Release", "Release.gpg"]
_RELEASE_NAMES: dict[str, ReleaseName] = {name: name for name in get_args(ReleaseName)}


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """The signed statement of a suite, or its detached parts."""

    suite: str
    name: ReleaseName


@dataclass(frozen=True, slots=True)
class ByHash:
    """An index asked for by its digest (Acquire-By-Hash).

    `directory` is what stands before `by-hash/`, without a slash at its end: relative to the suite's own
    directory if `suite` is known, to the archive's root if it is None.
    """

    suite: str | None
    directory: str
    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file that a known suite's Release may list; `path` is relative to the suite's directory."""

    suite: str
    path: str


@dataclass(frozen=True, slots=True)
class PdiffPatch:
    """One patch of a pdiff directory (`…/Packages.diff/2026-11-22-….gz`), relative to the suite's directory."""

    suite: str
    directory: str
    name: str


@dataclass(frozen=True, slots=True)
class PoolFile:
    """Everything else that an index may list, relative to the archive's root; nothing lists a directory (`x/`)."""

    path: str


ArchivePath: TypeAlias = ReleaseFile | ByHash | IndexFile | PdiffPatch | PoolFile


def canonical(target_path: str) -> str:
    """The one spelling of a path, from the path of a request: `/pool/a%2bb%7e1` becomes `pool/a+b~1`.

    Undoes the percent-encoding exactly once, drops the leading slash and the literal `./` that apt sends for
    flat suites. The result may be empty or end in a slash, and then names a directory.

    Raises BadPath for `..`, a final `.`, an empty segment, NUL and other control characters, a backslash, a
    malformed escape, an escaped slash or dot (nobody honest escapes a dot), bytes that are not UTF-8, a query
    or fragment, and what is too long.
    """
    path = target_path.removeprefix("/")
    if len(path) <= SEGMENT_BYTES_MAX and _ORDINARY.fullmatch(path):
        return path
    if len(path) > 3 * PATH_CHARS_MAX:
        raise BadPath(f"path longer than {PATH_CHARS_MAX} characters")
    if not _URL_PATH.fullmatch(path):
        raise BadPath(f"a character that no URL's path can hold: {excerpt(target_path)}")
    *directories, name = path.split("/")
    path = "/".join([*(segment for segment in directories if segment != "."), name])
    return _checked(_decoded(path))


def listed(path: str, where: str = "") -> str:
    """A file's path as an index lists it, held to `canonical`'s rules but never decoded.

    Indices write names as they are on disk, so `%3a` stays as it stands, and one leading `./` (what
    dpkg-scanpackages writes) is dropped. Raises BadPath, naming `where`.
    """
    path = path.removeprefix("./")
    if len(path) <= SEGMENT_BYTES_MAX and _ORDINARY.fullmatch(path):
        return path
    if not path or path.endswith("/"):
        raise BadPath(f"a directory in place of a file: {excerpt(path)}", where)
    return _checked(path, where)


def encoded(path: str) -> str:
    """The path as it goes into a URL, without a leading slash; `canonical` undoes it.

    `+` is encoded, as apt does it: object stores take a bare one for a space.
    """
    return quote(path, safe="/~:")


def listing_stem(path: str) -> str | None:
    """`main/binary-amd64/Packages` for an index (in any compression) that lists artifacts, else None."""
    directory, _, name = path.rpartition("/")
    stem = next((name.removesuffix(ending) for ending in ENDINGS if ending and name.endswith(ending)), name)
    if stem in ("Packages", "Sources") or (name == "Index" and directory.endswith(".diff")):
        return f"{directory}/{stem}" if directory else stem
    return None


def suite_base(suite: str) -> str:
    """The directory of a suite with its slash: `dists/noble/`, flat `x/y/`, or empty for `./` and `/`."""
    if not suite.endswith("/"):
        return f"dists/{suite}/"
    return "" if suite == "/" else suite.removeprefix("./")


def classify(path: str, suites: Collection[str]) -> ArchivePath:
    """What a canonical path can be, given the suites known so far.

    The longest suite that fits wins (`bookworm/updates` over `bookworm`). InRelease, Release.gpg and Release
    name their suite even when it is unknown; only a Release beside a component's index (`binary-amd64`,
    `source`) is an index of the suite above it. An artifact that lies below a suite's directory, as in flat
    repositories, is still a PoolFile. Takes time in the path's depth, if `suites` is a set.

    Raises BadPath for a by-hash name whose digest does not fit its algorithm.
    """
    directory, _, name = path.rpartition("/")
    if not name:
        return PoolFile(path)
    suite = _known_suite(directory, suites)
    base = "" if suite is None else suite_base(suite)
    if release_name := _RELEASE_NAMES.get(name):
        if suite is not None and base == _with_slash(directory):
            return ReleaseFile(suite, release_name)
        if release_name != "Release" or not _is_of_a_component(directory):
            return ReleaseFile(_suite_of(directory), release_name)
    below = path[len(base) :]
    if by_hash := _by_hash(suite, below):
        return by_hash
    if suite is None or is_artifact(name):
        return PoolFile(path)
    parent = below.rpartition("/")[0]
    if parent.endswith(".diff") and not name.startswith("Index"):
        return PdiffPatch(suite, parent, name)
    if suite.endswith("/") and not _FLAT_INDEX.fullmatch(below):
        return PoolFile(path)
    return IndexFile(suite, below)


def _decoded(path: str) -> str:
    if _MALFORMED_ESCAPE.search(path) or _ESCAPED_STRUCTURE.search(path):
        raise BadPath(f"an escape that is malformed or hides structure: {excerpt(path)}")
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise BadPath(f"not UTF-8: {excerpt(path)}") from None


def _checked(path: str, where: str = "") -> str:
    if len(path) > PATH_CHARS_MAX:
        raise BadPath(f"path longer than {PATH_CHARS_MAX} characters", where)
    if _CONTROL.search(path) or _ESCAPED_STRUCTURE.search(path):
        raise BadPath(f"a control character, or an escape that hides structure: {excerpt(path)}", where)
    *directories, name = path.split("/")
    if "" in directories or ".." in directories or "." in directories or name in {".", ".."}:
        raise BadPath(f"an empty or dotted segment: {excerpt(path)}", where)
    try:
        longest = max(len(segment.encode()) for segment in (*directories, name))
    except UnicodeEncodeError:
        raise BadPath(f"not UTF-8: {excerpt(path)}", where) from None
    if longest > SEGMENT_BYTES_MAX:
        raise BadPath(f"a name longer than {SEGMENT_BYTES_MAX} bytes: {excerpt(path)}", where)
    return path


def _known_suite(directory: str, suites: Collection[str]) -> str | None:
    while directory:
        if directory.startswith("dists/") and (suite := directory[len("dists/") :]) in suites:
            return suite
        for suite in (f"{directory}/", f"./{directory}/"):
            if suite in suites:
                return suite
        directory = directory.rpartition("/")[0]
    return next((suite for suite in ("./", "/") if suite in suites), None)


def _suite_of(directory: str) -> str:
    if directory.startswith("dists/"):
        return directory[len("dists/") :]
    return _with_slash(directory) or "./"


def _with_slash(directory: str) -> str:
    return f"{directory}/" if directory else ""


def _is_of_a_component(directory: str) -> bool:
    name = directory.rpartition("/")[2]
    return directory.startswith("dists/") and (name == "source" or name.startswith("binary-"))


def is_artifact(name: str) -> bool:
    """Whether a file of this name is a package or part of a source package: something that an index has to list."""
    return name.endswith(_BINARY_ENDINGS) or _SOURCE_PART.fullmatch(name) is not None


def _by_hash(suite: str | None, below: str) -> ByHash | None:
    *directory, by_hash, algorithm, digest = ["", "", "", *below.split("/")]
    if by_hash != "by-hash" or algorithm not in DIGEST_HEX_CHARS:
        return None
    if len(digest) != DIGEST_HEX_CHARS[algorithm] or not _DIGEST.fullmatch(digest):
        raise BadPath(f"not a digest of {algorithm}: {excerpt(digest)}")
    return ByHash(suite, "/".join(directory[3:]), algorithm, digest)
