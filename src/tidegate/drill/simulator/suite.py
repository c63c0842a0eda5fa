"""One simulated suite: what it holds, and how that is rendered into indices and a Release."""

import email.utils
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tidegate.drill.simulator.compression import compressed, with_ending
from tidegate.drill.simulator.debs import File, SourceSet, source_checksums, stanza
from tidegate.drill.simulator.pdiff import PatchSeries
from tidegate.drill.simulator.signing import Key

AllStyle = Literal["also", "apart", "within"]

HASHES = {"MD5Sum": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


@dataclass(frozen=True, slots=True)
class Package:
    """A binary package in the archive."""

    name: str
    version: str
    architecture: str
    component: str
    path: str  # inside the archive
    file: File
    stanza: Mapping[str, str]  # as the Packages index has it; attacks put other fields in
    installs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A source package in the archive."""

    name: str
    version: str
    component: str
    directory: str
    set: SourceSet

    @property
    def paths(self) -> tuple[str, ...]:
        """Its files inside the archive, the .dsc first."""
        prefix = f"{self.directory}/" if self.directory else ""
        return tuple(prefix + file.name for file in self.set.files)


@dataclass(slots=True)
class Suite:
    """The state of a suite. Change a field, then publish.

    `name` as clients write it: `stable`, `bookworm/updates`, or a flat repository's `./` or `x/y/`.
    """

    name: str
    signers: tuple[Key, ...]
    codename: str = ""
    origin: str = "Simulated"
    label: str = "Simulated"
    components: tuple[str, ...] = ("main",)
    architectures: tuple[str, ...] = ("amd64",)  # without `all`
    all_style: AllStyle = "also"  # Debian: also within each; apart: binary-all alone; within: Ubuntu
    compressions: tuple[str, ...] = ("gz", "xz")  # "" is the plain file
    listed_only: tuple[str, ...] = ("",)  # in the Release, on no server
    hashes: tuple[str, ...] = ("MD5Sum", "SHA256")
    by_hash: bool = True
    by_hash_generations: int = 3  # the newest included
    by_hash_advertised_only: bool = False  # Acquire-By-Hash: yes, and no such files: some vendors' fault
    pdiff: bool = False
    translations: tuple[str, ...] = ("en",)
    contents: bool = False
    sources: bool = True
    valid_for_s: int | None = None
    inrelease: bool = True
    detached: bool = True
    release_fields: dict[str, str] = field(default_factory=dict)  # added or put in place of ours; "" removes
    extra_indices: dict[str, bytes] = field(default_factory=dict)  # plain: dep11, cnf, … compressed likewise
    overrides: dict[str, bytes] = field(default_factory=dict)  # listed path: bytes, listed as they are
    packages: list[Package] = field(default_factory=list)
    source_packages: list[Source] = field(default_factory=list)
    patch_series: dict[str, PatchSeries] = field(default_factory=dict)

    @property
    def flat(self) -> bool:
        """Whether it is a flat repository."""
        return self.name.endswith("/")

    @property
    def base(self) -> str:
        """The folder its Release lies in, with a closing slash, or "" for the archive's root."""
        if not self.flat:
            return f"dists/{self.name}/"
        return self.name.removeprefix("./").lstrip("/")

    def plain_indices(self) -> dict[str, bytes]:
        """Every index before compression, by its path relative to the Release."""
        indices = self._flat_indices() if self.flat else self._indices()
        return {**indices, **self.extra_indices}

    def render(self, date: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What a Release lists, and what lies beside it on the server (a superset less `listed_only`)."""
        plain = self.plain_indices()
        listed: dict[str, bytes] = {}
        absent: set[str] = set()
        for path, body in plain.items():
            for ending in dict.fromkeys((*self.listed_only, *self.compressions)):
                listed[with_ending(path, ending)] = compressed(body, ending)
                if ending not in self.compressions:
                    absent.add(with_ending(path, ending))
        patches: dict[str, bytes] = {}
        if self.pdiff:
            patches = self._patches(plain, date)
            listed |= {path: body for path, body in patches.items() if path.endswith("/Index")}
        listed |= self.overrides
        served = {path: body for path, body in listed.items() if path not in absent}
        return listed, {**patches, **served}

    def release(self, listed: Mapping[str, bytes], date: int) -> bytes:
        """The Release text over these indices."""
        fields = {
            "Origin": self.origin,
            "Label": self.label,
            "Suite": self.name.strip("./") or "flat",
            "Codename": self.codename,
            "Date": release_moment(date),
            "Valid-Until": release_moment(date + self.valid_for_s) if self.valid_for_s is not None else "",
            "Acquire-By-Hash": "yes" if self.by_hash or self.by_hash_advertised_only else "",
            "No-Support-for-Architecture-all": "Packages" if self.all_style == "also" else "",
            "Architectures": " ".join(self._declared_architectures()),
            "Components": "" if self.flat else " ".join(self.components),
            "Description": "A simulated archive",
        }
        for name in self.hashes:
            lines = [
                f"\n {hashlib.new(HASHES[name], body).hexdigest()} {len(body):>8} {path}"
                for path, body in listed.items()
            ]
            fields[name] = "".join(lines)
        fields |= self.release_fields
        return stanza({name: value for name, value in fields.items() if value}).encode()

    def _declared_architectures(self) -> tuple[str, ...]:
        return self.architectures if self.all_style == "within" else ("all", *self.architectures)

    def _indices(self) -> dict[str, bytes]:
        indices: dict[str, bytes] = {}
        for component in self.components:
            for architecture in self._declared_architectures():
                chosen = self._packages_of(component, architecture)
                indices[f"{component}/binary-{architecture}/Packages"] = packages_index(chosen)
                if self.contents:
                    indices[f"{component}/Contents-{architecture}"] = contents_index(chosen)
            if self.sources:
                indices[f"{component}/source/Sources"] = sources_index(
                    [source for source in self.source_packages if source.component == component]
                )
            for language in self.translations:
                indices[f"{component}/i18n/Translation-{language}"] = translation_index(
                    [package for package in self.packages if package.component == component], language
                )
        return indices

    def _flat_indices(self) -> dict[str, bytes]:
        indices = {"Packages": packages_index(self.packages)}
        if self.source_packages:
            indices["Sources"] = sources_index(self.source_packages)
        return indices

    def _packages_of(self, component: str, architecture: str) -> list[Package]:
        also_all = self.all_style != "apart"
        wanted = {architecture, "all"} if also_all else {architecture}
        return [p for p in self.packages if p.component == component and p.architecture in wanted]

    def _patches(self, plain: Mapping[str, bytes], date: int) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for path, body in plain.items():
            if path.endswith(("Packages", "Sources")) or "/Translation-" in path:
                series = self.patch_series.setdefault(path, PatchSeries())
                series.add(body, date)
                files |= {f"{path}.diff/{name}": data for name, data in series.files().items()}
        return files


def packages_index(packages: list[Package]) -> bytes:
    """A Packages index, sorted as dak sorts."""
    ordered = sorted(packages, key=lambda package: (package.name, package.version, package.architecture))
    return "\n".join(stanza(package.stanza) for package in ordered).encode()


def sources_index(sources: list[Source]) -> bytes:
    """A Sources index (Debian policy 5.4 plus Directory)."""
    texts = []
    for source in sorted(sources, key=lambda source: (source.name, source.version)):
        fields = {"Package" if k == "Source" else k: v for k, v in source.set.fields.items()}
        texts.append(stanza({**fields, **source_checksums(source.set.files), "Directory": source.directory or "."}))
    return "\n".join(texts).encode()


def translation_index(packages: list[Package], language: str) -> bytes:
    """Long descriptions, one stanza for each description."""
    texts = {
        package.name: stanza(
            {
                "Package": package.name,
                "Description-md5": package.stanza.get("Description-md5", ""),
                f"Description-{language}": f"{package.stanza['Description']}\n In {language}, at length.",
            }
        )
        for package in packages
    }
    return "\n".join(texts[name] for name in sorted(texts)).encode()


def contents_index(packages: list[Package]) -> bytes:
    """Which package installs which file."""
    rows = {f"{path:<60} {package.name}" for package in packages for path in package.installs}
    return "".join(f"{row}\n" for row in sorted(rows)).encode()


def release_moment(date: int) -> str:
    """A Release's Date: RFC 5322's form in UTC, whatever the locale."""
    return email.utils.formatdate(date, usegmt=True).replace("GMT", "UTC")
