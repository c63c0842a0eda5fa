"""The judge of what was served, made of gpgv, sha256sum and Python's own decompressors.

Not one line of Tidegate's is used here. The invariant: every complete 2xx body equals an object that a
signature-verified Release lists, and that Release is not older than one seen before.

The judge starts from a keyring alone. Whatever it is shown or fetches by itself counts only as far as a
chain of digests leads up to a Release that gpgv accepts.
"""

import contextlib
import email.utils
import re
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulator.compression import decompressed

Fetch = Callable[[str], bytes | None]

TOOL_TIMEOUT_S = 30.0
FETCH_TIMEOUT_S = 30.0
GOOD = "GOODSIG"
BAD = ("BADSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NODATA", "UNEXPECTED")
NO_PUBLIC_KEY = "9"  # ERRSIG's reason (gnupg's doc/DETAILS): a signer beside the good one whom we do not know
BLOCK = re.compile(rb"\A-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n(.*?\n)-----BEGIN PGP SIG", re.DOTALL)
FILENAME = re.compile(r"^Filename: *(?:\./)?(\S+)$", re.MULTILINE)
SHA256 = re.compile(r"^SHA256: *([0-9a-f]{64})$", re.MULTILINE)
BY_HASH = re.compile(r"((?:.*/)?)by-hash/([A-Za-z0-9]+)/([0-9a-f]+)")
DIGEST_LINE = re.compile(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A Release that gpgv accepted: its Date (epoch seconds), its text, what it lists by path."""

    date: int
    text: bytes
    listed: Mapping[str, str]  # path below the Release's folder: SHA-256 in hex


@dataclass(slots=True)
class _Suite:
    """What is known of one suite: statements by text, newest first seen last."""

    statements: dict[bytes, Statement] = field(default_factory=dict)
    newest_served: int = 0


class Oracle:
    """Judges bodies by path.

    `fetch` gives it what it is not shown: a directory of the archive, the address of the archive (through
    whatever serves it), or a function. `suites` are the suites that pool files may belong to.
    """

    def __init__(self, keyring: Path, fetch: Path | str | Fetch, suites: Iterable[str] = ("stable",)) -> None:
        self._keyring = keyring
        self._fetch = _fetcher(fetch)
        self._bases = [_base(suite) for suite in suites]
        self._suites: dict[str, _Suite] = {base: _Suite() for base in self._bases}
        self._artifacts: dict[str, set[str]] = {}  # path: SHA-256 in hex
        self._read: set[tuple[str, str]] = set()  # indices whose content is known
        self.checked = 0

    def admit(self, tree: Path) -> None:
        """Learn an older generation of the archive, so that what it lists counts as listed."""
        for base in self._bases:
            if (tree / f"{base}InRelease").exists():
                statement = self.check_release((tree / f"{base}InRelease").read_bytes())
                self._remember(base, statement)
                self._learn(base, statement, _fetcher(tree))

    def check(self, path: str, body: bytes) -> None:
        """Assert that this body, served whole for this path of the archive, is accounted for."""
        self.checked += 1
        base = self._base_of(path)
        rest = path.removeprefix(base) if base is not None else path
        if base is not None and rest in ("InRelease", "Release", "Release.gpg"):
            self._check_statement(base, rest, body)
            return
        digest = sha256sum(body)
        if base is not None and digest in self._listed(base, rest):
            return
        if digest in self._artifacts.get(path, set()):
            return
        for known in self._bases:
            self._newest_statement(known)
            for statement in tuple(self._suites[known].statements.values()):
                self._learn(known, statement, self._fetch)
        assert digest in self._artifacts.get(path, set()), f"{path}: {digest} is listed by no signed index"

    def check_release(self, inrelease: bytes) -> Statement:
        """Assert that gpgv finds only good signatures on this InRelease, and return what it states."""
        found = BLOCK.match(inrelease)
        assert found, f"no clearsigned text from the first byte on: {inrelease[:60]!r}"
        text = re.sub(rb"^- ", b"", found.group(1), flags=re.MULTILINE)
        self._gpgv(inrelease)
        return _statement(text)

    def check_detached(self, release: bytes, signature: bytes) -> Statement:
        """The same for a Release and its Release.gpg."""
        self._gpgv(signature, release)
        return _statement(release)

    # Within

    def _check_statement(self, base: str, name: str, body: bytes) -> None:
        if name == "InRelease":
            statement = self.check_release(body)
        elif name == "Release":
            statement = self.check_detached(body, self._got(f"{base}Release.gpg"))
        else:
            statement = self.check_detached(self._got(f"{base}Release"), body)
        suite = self._suites[base]
        assert statement.date >= suite.newest_served, f"{base}{name} went back in time"
        same_date = [s for s in suite.statements.values() if s.date == statement.date]
        assert all(s.text == statement.text for s in same_date), f"{base}{name}: two contents of one Date"
        suite.newest_served = statement.date
        self._remember(base, statement)

    def _listed(self, base: str, rest: str) -> set[str]:
        """The digests that are right for a path below a suite, by every statement known."""
        if not self._suites[base].statements:
            self._newest_statement(base)
        statements = self._suites[base].statements.values()
        found = BY_HASH.fullmatch(rest)
        if not found:
            return {statement.listed[rest] for statement in statements if rest in statement.listed}
        folder, algorithm, digest = found.groups()
        inside = {d for s in statements for p, d in s.listed.items() if p[: p.rfind("/") + 1] == folder}
        return inside & {digest} if algorithm == "SHA256" else inside

    def _newest_statement(self, base: str) -> None:
        """Learn what the suite states now; a statement that gpgv rejects teaches nothing."""
        body = self._fetch(f"{base}InRelease")
        release, signature = self._fetch(f"{base}Release"), self._fetch(f"{base}Release.gpg")
        with contextlib.suppress(AssertionError):
            if body is not None:
                self._remember(base, self.check_release(body))
                return
        with contextlib.suppress(AssertionError):
            if release is not None and signature is not None:
                self._remember(base, self.check_detached(release, signature))

    def _remember(self, base: str, statement: Statement) -> None:
        self._suites[base].statements[statement.text] = statement

    def _learn(self, base: str, statement: Statement, fetch: Fetch) -> None:
        """Read every Packages, Sources and patch index of a statement, each in one of its compressions."""
        known: set[str] = set()
        for path in sorted(statement.listed, key=lambda path: not path.endswith(".xz")):
            folder, name = path[: path.rfind("/") + 1], path[path.rfind("/") + 1 :]
            stem = folder + name.partition(".")[0]
            if stem in known or name.partition(".")[0] not in ("Packages", "Sources", "Index"):
                continue
            digest = statement.listed[path]
            if (base + path, digest) not in self._read:
                body = _with_digest(digest, fetch, f"{base}{folder}by-hash/SHA256/{digest}", base + path)
                if body is None:
                    continue  # listed and not to be had, as uncompressed indices often are
                self._read.add((base + path, digest))
                for listed, artifact in _entries(decompressed(body, name).decode(), name, base + folder):
                    self._artifacts.setdefault(listed, set()).add(artifact)
            known.add(stem)

    def _base_of(self, path: str) -> str | None:
        fitting = [base for base in self._bases if path.startswith(base)]
        return max(fitting, key=len) if fitting else None

    def _got(self, path: str) -> bytes:
        body = self._fetch(path)
        assert body is not None, f"{path} cannot be had"
        return body

    def _gpgv(self, *files: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="tg-gpgv-") as folder:
            paths = []
            for number, body in enumerate(files):
                path = Path(folder, str(number))
                path.write_bytes(body)
                paths.append(str(path))
            command = ["gpgv", "--homedir", folder, "--status-fd", "1"]
            done = subprocess.run(
                [*command, "--keyring", str(self._keyring.resolve()), *paths],
                capture_output=True,
                timeout=TOOL_TIMEOUT_S,
                check=False,
            )
        _only_good(done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def assert_listed_and_signed(
    bodies: Mapping[str, bytes], archive: Path | str | Fetch, keyring: Path, suites: Iterable[str] = ("stable",)
) -> None:
    """Judge all that was served, `bodies` by their path in the archive."""
    oracle = Oracle(keyring, archive, suites)
    for path, body in bodies.items():
        oracle.check(path, body)


def sha256sum(body: bytes) -> str:
    """What coreutils says."""
    done = subprocess.run(["sha256sum"], input=body, capture_output=True, timeout=TOOL_TIMEOUT_S, check=True)
    return done.stdout.decode().split()[0]


def _statement(text: bytes) -> Statement:
    content = text.decode()
    date = re.search(r"^Date: (.+)$", content, re.MULTILINE)
    assert date, "no Date"
    _, _, section = content.partition("\nSHA256:")
    lines = re.match(r"[^\n]*\n(?: [^\n]*(?:\n|\Z))*", section)
    listed = {path: digest for digest, _, path in DIGEST_LINE.findall(lines.group(0))} if lines else {}
    moment = email.utils.parsedate_to_datetime(date.group(1).replace("UTC", "+0000"))
    return Statement(int(moment.timestamp()), text, listed)


def _only_good(status: str, said: str) -> None:
    """Assert that these status lines hold a good signature, and none that is bad."""
    lines = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    words = {line[0] for line in lines}
    assert GOOD in words, status + said
    assert not words & set(BAD), status + said
    errors = [line for line in lines if line[0] == "ERRSIG"]
    assert all(line[6] == NO_PUBLIC_KEY for line in errors), status + said


def _entries(text: str, name: str, folder: str) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 of everything that a Packages, a Sources or a pdiff's Index lists."""
    for stanza in text.split("\n\n"):
        if name.startswith("Packages"):
            filename, digest = FILENAME.search(stanza), SHA256.search(stanza)
            if filename and digest:
                yield filename.group(1), digest.group(1)
            continue
        fields = dict(re.findall(r"^([A-Za-z0-9-]+):(.*(?:\n .*)*)", stanza, re.MULTILINE))
        if name == "Index":
            rows = DIGEST_LINE.findall(fields.get("SHA256-Download", ""))
            yield from ((folder + file, digest) for digest, _, file in rows)
        elif "Directory" in fields:
            place = fields["Directory"].strip().removeprefix(".").lstrip("/")
            rows = DIGEST_LINE.findall(fields.get("Checksums-Sha256", ""))
            yield from ((f"{place}/{file}".lstrip("/"), digest) for digest, _, file in rows)


def _with_digest(digest: str, fetch: Fetch, *paths: str) -> bytes | None:
    """The first body among these paths that has this digest."""
    for path in paths:
        body = fetch(path)
        if body is not None and sha256sum(body) == digest:
            return body
    return None


def _base(suite: str) -> str:
    return suite.removeprefix("./").lstrip("/") if suite.endswith("/") else f"dists/{suite}/"


def _fetcher(origin: Path | str | Fetch) -> Fetch:
    if isinstance(origin, Path):
        return lambda path: (origin / path).read_bytes() if (origin / path).is_file() else None
    if isinstance(origin, str):
        return lambda path: _http_get(f"{origin.rstrip('/')}/{urllib.parse.quote(path)}")
    return origin


def _http_get(url: str) -> bytes | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(urllib.error.HTTPError), opener.open(url, timeout=FETCH_TIMEOUT_S) as answer:
        return bytes(answer.read())
    return None
