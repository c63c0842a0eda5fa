"""A real, signed Debian archive on disk, published, updated and rolled back at will.

Each `publish` builds a whole new tree and switches one symlink to it, so a server of `public` never
shows half a publication, every older tree stays as it was (a lagging mirror serves `generation(n)`),
and `restore(n)` is an attacker's replay, byte for byte. What is changed on purpose afterwards
(`replace`, `corrupt`, `sign`, …) touches the current tree alone; the next publication heals it.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tidegate.drill.simulator.debs import file_facts, write_deb, write_source
from tidegate.drill.simulator.signing import Key, Signer
from tidegate.drill.simulator.suite import HASHES, Package, Source, Suite

PUBLICATION_INTERVAL_S = 60  # between the dates of two publications
START_BEFORE_NOW_S = 86_400


class SimulatedArchive:
    """A vendor's archive below `root`. Serve `public`, the tree that is current."""

    def __init__(self, root: Path, signer: Signer, key: Key, *, start: int | None = None) -> None:
        """`key` signs, unless a suite names others. `start` is the Date of the first publication (epoch seconds; None:
        a day ago)."""
        self.signer = signer
        self.key = key
        self.public = root / "public"
        self.suites: dict[str, Suite] = {}
        self.clock = int(time.time()) - START_BEFORE_NOW_S if start is None else start
        self.published = 0  # number of the newest generation
        self._generations = root / "generations"
        self._stage = root / "stage"
        self._rendered: dict[str, dict[str, tuple[bytes, int]]] = {}  # suite: path: body, mtime
        self._by_hash: dict[str, list[dict[str, tuple[bytes, int]]]] = {}
        root.mkdir(parents=True, exist_ok=True)
        self._generations.mkdir()
        self._stage.mkdir()

    # What it holds

    def suite(self, name: str, **fields: Any) -> Suite:
        """The suite of this name, made if need be, with these fields of `Suite` set."""
        if name not in self.suites:
            self.suites[name] = Suite(name, (self.key,), codename=name.strip("./") or "flat")
        suite = self.suites[name]
        for field, value in fields.items():
            setattr(suite, field, value)
        return suite

    def add_package(
        self,
        name: str,
        version: str = "1.0",
        *,
        suite: str = "stable",
        component: str = "main",
        architecture: str = "amd64",
        depends: str = "",
        filling_bytes: int = 0,
        files: Mapping[str, bytes] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Package:
        """Build a package that dpkg can install and list it in the suite from the next publication on.

        `fields` are put into its stanza in the index (not into the .deb): what an attacker would do.
        """
        target = self.suite(suite)
        control = {
            "Package": name,
            "Version": version,
            "Architecture": architecture,
            "Maintainer": "Simulator <simulator@archive.example>",
            "Installed-Size": str(max(1, filling_bytes // 1024)),
            "Depends": depends,
            "Section": "misc",
            "Priority": "optional",
            "Description": f"simulated package {name}",
        }
        control = {key: value for key, value in control.items() if value}
        bare_version = version.partition(":")[2] or version
        directory = target.base if target.flat else f"{_pool(component, name)}/"
        path = f"{directory}{name}_{bare_version}_{architecture}.deb"
        staged = self._staged(path)
        write_deb(staged, control, files or {}, filling_bytes)
        package = self._listed(target, component, path, control, files or {}, fields or {})
        target.packages.append(package)
        return package

    def add_source(
        self,
        name: str,
        version: str = "1.0-1",
        *,
        suite: str = "stable",
        component: str = "main",
        binaries: str = "",
        files: Mapping[str, bytes] | None = None,
    ) -> Source:
        """Build a source package that dpkg-source can unpack, and list it."""
        target = self.suite(suite)
        directory = target.base.rstrip("/") if target.flat else _pool(component, name)
        folder = self._staged(f"{directory}/x" if directory else "x").parent
        contents = files or {"README": f"{name} {version}\n".encode()}
        source = Source(
            name, version, component, directory, write_source(folder, name, version, binaries or name, contents)
        )
        for path in source.paths:
            os.utime(self._stage / path, (self.clock, self.clock))
        target.source_packages.append(source)
        return source

    def update_package(self, name: str, version: str, *, suite: str = "stable", **options: Any) -> Package:
        """Put a new version in place of the old one; the old .deb stays in the pool."""
        old = [package for package in self.suite(suite).packages if package.name == name]
        self.remove_package(name, suite=suite)
        if old:
            options = {"component": old[0].component, "architecture": old[0].architecture, **options}
        return self.add_package(name, version, suite=suite, **options)

    def remove_package(self, name: str, *, suite: str = "stable", from_pool: bool = False) -> None:
        """Take a package out of the suite, and out of the pool too if asked."""
        target = self.suite(suite)
        for package in [package for package in target.packages if package.name == name]:
            target.packages.remove(package)
            if from_pool:
                (self._stage / package.path).unlink()

    # Publishing

    def publish(self, *names: str, date: int | None = None) -> int:
        """Publish these suites (none named: all) and return the new generation's number.

        `date` is the Release's Date (None: the archive's clock, which moves on by a minute each time).
        """
        self.clock += PUBLICATION_INTERVAL_S
        moment = self.clock if date is None else date
        for name in names or tuple(self.suites):
            self._render(self.suites[name], moment)
        self.published += 1
        tree = self.generation(self.published)
        for rendered in self._rendered.values():
            for path, (body, mtime) in rendered.items():
                _write(tree / path, body, mtime)
        self._link_pool(tree)
        self._switch_to(tree)
        return self.published

    def generation(self, number: int) -> Path:
        """The tree of a publication, as it was."""
        return self._generations / f"{number:04}"

    def restore(self, number: int) -> None:
        """Serve an older publication again: a rollback, validly signed."""
        self._switch_to(self.generation(number))

    def release_date(self, suite: str = "stable") -> int:
        """The Date of the suite's newest publication."""
        base = self.suites[suite].base
        return self._rendered[suite][f"{base}Release"][1]

    # The current tree, to look at and to break

    def file(self, path: str) -> Path:
        """A path of the archive in the current tree."""
        return self.public / path

    def read(self, path: str) -> bytes:
        """Its bytes."""
        return self.file(path).read_bytes()

    def paths(self) -> tuple[str, ...]:
        """Every path of the current tree, sorted."""
        top = self.public.resolve()
        return tuple(sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()))

    def by_hash_path(self, path: str, algorithm: str = "SHA256") -> str:
        """Where the current tree has this file by its digest."""
        return _by_hash_path(path, self.read(path), algorithm)

    def replace(self, path: str, body: bytes, mtime: int | None = None) -> None:
        """Put other bytes in a file's place, atomically; its mtime stays unless given."""
        target = self.public.resolve() / path
        kept = int(target.stat().st_mtime) if target.exists() else self.clock
        fresh = target.with_name(target.name + ".new")
        _write(fresh, body, kept if mtime is None else mtime)
        fresh.replace(target)

    def corrupt(self, path: str, at: int = -1) -> None:
        """Flip the bits of one byte: same size, other content."""
        body = bytearray(self.read(path))
        body[at] ^= 0xFF
        self.replace(path, bytes(body))

    def truncate(self, path: str, size: int) -> None:
        """Keep only the first `size` bytes."""
        self.replace(path, self.read(path)[:size])

    def delete(self, path: str) -> None:
        """Remove a file from the current tree."""
        (self.public.resolve() / path).unlink()

    def sign(self, suite: str, *signers: Key, at: int | None = None, digest: str = "SHA512") -> None:
        """Sign the current Release again, by others or at another time."""
        base = self.suites[suite].base
        payload = self.read(f"{base}Release")
        home = self.signer
        self.replace(f"{base}InRelease", home.clearsign(payload, *signers, at=at, digest=digest))
        self.replace(f"{base}Release.gpg", home.detached(payload, *signers, at=at, digest=digest))

    # Within

    def _listed(
        self,
        suite: Suite,
        component: str,
        path: str,
        control: Mapping[str, str],
        files: Mapping[str, bytes],
        fields: Mapping[str, str],
    ) -> Package:
        staged = self._stage / path
        os.utime(staged, (self.clock, self.clock))
        facts = file_facts(staged)
        description = f"{control['Description']}\n"
        entry = {
            **control,
            "Description-md5": hashlib.md5(description.encode(), usedforsecurity=False).hexdigest(),
            "Filename": f"./{path}" if suite.flat and not suite.base else path,
            "Size": str(facts.size),
            "MD5sum": facts.md5,
            "SHA256": facts.sha256,
            **fields,
        }
        name, version, architecture = control["Package"], control["Version"], control["Architecture"]
        installs = (f"usr/share/doc/{name}/README", *files)
        listed = {key: value for key, value in entry.items() if value}
        return Package(name, version, architecture, component, path, facts, listed, installs)

    def _render(self, suite: Suite, date: int) -> None:
        listed, served = suite.render(date)
        release = suite.release(listed, date)
        files = {f"{suite.base}{path}": (body, date) for path, body in served.items()}
        newest = {
            _by_hash_path(f"{suite.base}{path}", body, algorithm): (body, date)
            for path, body in served.items()
            if path in listed
            for algorithm in suite.hashes
        }
        generations = [newest, *self._by_hash.get(suite.name, [])][: suite.by_hash_generations]
        self._by_hash[suite.name] = generations
        if suite.by_hash:
            for older in reversed(generations):
                files |= older
        files[f"{suite.base}Release"] = (release, date)
        if suite.inrelease:
            signed = self.signer.clearsign(release, *suite.signers)
            files[f"{suite.base}InRelease"] = (signed, date)
        if suite.detached:
            files[f"{suite.base}Release.gpg"] = (self.signer.detached(release, *suite.signers), date)
        self._rendered[suite.name] = files

    def _staged(self, path: str) -> Path:
        staged = self._stage / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    def _link_pool(self, tree: Path) -> None:
        for folder, _, names in os.walk(self._stage):
            target = tree / Path(folder).relative_to(self._stage)
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                os.link(Path(folder, name), target / name)

    def _switch_to(self, tree: Path) -> None:
        fresh = self.public.with_name("public.new")
        fresh.symlink_to(tree.resolve())
        fresh.replace(self.public)


def release_paths(suite: Suite) -> Iterable[str]:
    """The three files that carry a suite's signed statement."""
    return (f"{suite.base}InRelease", f"{suite.base}Release", f"{suite.base}Release.gpg")


def _pool(component: str, name: str) -> str:
    prefix = name[:4] if name.startswith("lib") and len(name) > 3 else name[0]
    return f"pool/{component}/{prefix}/{name}"


def _by_hash_path(path: str, body: bytes, algorithm: str) -> str:
    folder, separator, _ = path.rpartition("/")
    digest = hashlib.new(HASHES[algorithm], body).hexdigest()
    return f"{folder}{separator}by-hash/{algorithm}/{digest}"


def _write(path: Path, body: bytes, mtime: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (mtime, mtime))
