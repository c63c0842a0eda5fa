"""What is told about an export: the manifest that lies in it, and the structs behind `tidegate export --json`."""

from typing import Annotated

from msgspec import Meta, Struct

MANIFEST = "tidegate-export.json"
MANIFEST_BYTES_MAX = 512 << 20
FORM = 1
RUNS_MAX = 1_000
"""Remembered in a manifest; the oldest go first."""

At = Annotated[int, Meta(description="epoch seconds, UTC")]
Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256")]
Place = Annotated[str, Meta(description="below the folder of the export: ARCHIVE/PATH")]


class SuiteExport(Struct, frozen=True, kw_only=True):
    """One suite as it was carried: its Release, and how much of what it lists."""

    archive: str
    suite: str
    date: Annotated[At, Meta(description="the Release's Date")]
    valid_until: Annotated[int | None, Meta(description="when the Release expires; null: it does not say")]
    release: Annotated[Hex, Meta(description="SHA-256 of the signed text")]
    components: Annotated[
        tuple[str, ...],
        Meta(description="that an index is here of; whoever serves from here has to be content with these"),
    ]
    architectures: Annotated[tuple[str, ...], Meta(description="likewise; `source`: of source packages")]
    metadata: Annotated[int, Meta(description="files that belong to it: Release files and indices")]
    packages: Annotated[int, Meta(description="files of packages; those of several suites count for one of them")]
    whole: Annotated[bool, Meta(description="false: an index is missing or damaged, so its Release was left out")]


class ExportRun(Struct, frozen=True, kw_only=True):
    """One run of `tidegate export` into a folder."""

    at: At
    since: Annotated[int | None, Meta(description="packages held since then only; null: whatever is held")] = None
    archives: Annotated[tuple[str, ...], Meta(description="empty: all")] = ()
    suites: Annotated[tuple[str, ...], Meta(description="empty: all")] = ()
    packages: Annotated[tuple[str, ...], Meta(description="names and patterns; empty: all, or the hot set")] = ()
    hot_set: bool = False
    copied: Annotated[int, Meta(description="files that were not there before")] = 0
    copied_bytes: int = 0


class ExportedFile(Struct, frozen=True, kw_only=True):
    """One file of an export."""

    path: Place
    sha256: Hex
    size: Annotated[int, Meta(ge=0)]
    at: Annotated[At, Meta(description="the run that put it there, or first found it there")]


class ExportManifest(Struct, frozen=True, kw_only=True):
    """`tidegate-export.json`: what a folder holds, and what was exported into it when.

    It helps people. No gateway believes it: what counts is what the vendors signed.
    """

    form: Annotated[int, Meta(description="of this document; raised when a reader has to know")] = FORM
    tidegate: Annotated[str, Meta(description="version of the program that wrote it")]
    runs: tuple[ExportRun, ...]
    suites: tuple[SuiteExport, ...]
    files: tuple[ExportedFile, ...]


class ExportReport(Struct, frozen=True, kw_only=True):
    """`tidegate export --json`."""

    folder: str
    at: At
    since: int | None
    suites: tuple[SuiteExport, ...]
    files: Annotated[int, Meta(description="that make up this export")]
    bytes: Annotated[int, Meta(description="of these files, each content counted once")]
    copied: Annotated[int, Meta(description="files that were not there before, or were other ones")]
    copied_bytes: int
    linked: Annotated[int, Meta(description="further names of what was copied")]
    present: Annotated[int, Meta(description="files that were there already")]
    left_out: Annotated[int, Meta(description="by-hash names, where the file system knows no links")]
    damaged: Annotated[tuple[Place, ...], Meta(description="not copied: the store's own copy has rotted")]
    gone: Annotated[tuple[Place, ...], Meta(description="not copied: no longer held when their turn came")]
    lacking: Annotated[tuple[Place, ...], Meta(description="chosen, but neither they nor newer versions are held")]
    unknown: Annotated[tuple[str, ...], Meta(description="what was asked for and means nothing here")]
