"""`tidegate export`: what is held, carried out to a folder from which another gateway serves."""

import asyncio
import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.commands import Ended, tidegate
from tests.docs.documents import ROOT
from tests.keeper.house import House, assert_coherent, configured, house
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli.exit_codes import ExitCode
from tidegate.config.reading import load
from tidegate.keeper.outcome import Confirmed
from tidegate.sources.archive import Reach, source_of
from tidegate.store.birth import born_at
from tidegate.store.holds import Origin, PackageKey, Wish
from tidegate.store.layout import Layout
from tidegate.store.sqlite_holds import SqliteHolds
from tidegate.web.export_report import MANIFEST, ExportManifest
from tidegate.wiring import export_folder
from tidegate.wiring.copying import copy
from tidegate.wiring.export_folder import PARTIAL, ExportFolder

HELLO = "debian/pool/main/h/hello/hello_1.0_amd64.deb"
NAMES = ("hello", "libgreet1", "greet-data")  # of four packages
INRELEASE = "debian/dists/stable/InRelease"
POINTS_MIN = 40
LONG_AGO_S = 30 * 86_400


@dataclass(slots=True)
class First:
    """The gateway that has a network: a house that adopted the suite and fetched some packages."""

    root: Path
    archive: SimulatedArchive
    server: SourceServer
    config: Path
    to: Path

    def work(self, *names: str) -> None:
        """Look for news, and fetch packages."""
        asyncio.run(self._work(names))

    async def _work(self, names: tuple[str, ...]) -> None:
        async with house(self.root, configured(self.archive.keys.keyring, self.server.url, deb_src=True)) as here:
            await here.look()
            for one in self.archive.suites["stable"].packages:
                if one.name in names:
                    assert await here.fetch(one.path) is not None

    def export(self, *further: object, to: Path | None = None) -> Ended:
        """`tidegate export`."""
        return tidegate("export", "--to", to or self.to, "--config", self.config, *further)

    def exported(self, *further: object, to: Path | None = None) -> Any:
        """The same, which goes well, as JSON."""
        return self.export("--json", *further, to=to).good().json

    def blob(self, place: str) -> Path:
        """Where the store has what is to be at this place."""
        digest = hashlib.sha256(self.archive.read(place.removeprefix("debian/"))).hexdigest()
        return self.root / "cache/blobs" / digest[:2] / digest[2:]

    @property
    def files(self) -> set[str]:
        """All that lies in the export."""
        return {str(path.relative_to(self.to)) for path in self.to.rglob("*") if path.is_file()}

    @property
    def manifest(self) -> ExportManifest:
        """What it says about itself."""
        return msgspec.json.decode((self.to / MANIFEST).read_bytes(), type=ExportManifest)


@pytest.fixture
def first(archive: SimulatedArchive, source_server: SourceServer, tmp_path: Path) -> First:
    root = tmp_path / "first"
    config = tmp_path / "tidegate.toml"
    folders = {"state": str(root / "state"), "cache": str(root / "cache")}
    lines = [f"{key} = {json.dumps(value)}" for key, value in folders.items()]
    archive_lines = ['[[archive]]\nname = "debian"', f"keyring = {json.dumps(str(archive.keys.keyring))}"]
    source = f"[[archive.source]]\nurl = {json.dumps(source_server.url)}\n"
    config.write_text("\n".join(["[store]", *lines, *archive_lines, source]))
    made = First(root, archive, source_server, config, tmp_path / "stick")
    made.work(*NAMES)
    return made


def second(first: First, check: Callable[[House], Any], name: str = "second", to: Path | None = None) -> None:
    """Do something in the house of a gateway that knows the folder and nothing else."""

    async def run() -> None:
        source = str((to or first.to) / "debian")
        async with house(first.root.parent / name, configured(first.archive.keys.keyring, source)) as here:
            await check(here)

    asyncio.run(run())


def damage(path: Path) -> None:
    """Flip the last byte, in place."""
    body = bytearray(path.read_bytes())
    body[-1] ^= 0xFF
    path.chmod(0o600)
    path.write_bytes(body)


# The whole way


def test_what_was_held_is_served_from_the_folder_and_what_was_not_is_not_there(first: First, keys: Keys) -> None:
    report = first.exported()
    assert (report["lacking"], report["damaged"], report["gone"]) == ([], [], [])

    async def check(here: House) -> None:
        await here.adopt()
        assert_coherent(here, keys)
        for one in first.archive.suites["stable"].packages:
            body = await here.fetch(one.path)
            assert body == (first.archive.read(one.path) if one.name in NAMES else None)

    second(first, check)


def test_metadata_is_as_it_came_and_each_content_is_there_once(first: First) -> None:
    report = first.exported()
    assert (first.to / INRELEASE).read_bytes() == first.archive.read("dists/stable/InRelease")
    packages = "dists/stable/main/binary-amd64/Packages.xz"
    plain, lasting = first.to / "debian" / packages, first.to / "debian" / first.archive.by_hash_path(packages)
    assert plain.read_bytes() == lasting.read_bytes() == first.archive.read(packages)
    assert plain.stat().st_ino == lasting.stat().st_ino
    assert report["linked"] > 0
    assert report["files"] == len(first.files - {MANIFEST})
    assert not (first.to / PARTIAL).exists()


def test_manifest_says_of_every_file_what_it_is_and_when_it_came(first: First) -> None:
    report = first.exported()
    manifest = first.manifest
    assert {one.path for one in manifest.files} == first.files - {MANIFEST}
    for one in manifest.files:
        body = (first.to / one.path).read_bytes()
        assert (one.sha256, one.size, one.at) == (hashlib.sha256(body).hexdigest(), len(body), report["at"])
    (suite,) = manifest.suites
    assert (suite.archive, suite.suite, suite.date) == ("debian", "stable", first.archive.release_date())
    assert (suite.components, suite.architectures) == (("main",), ("amd64", "source"))
    assert [one.copied for one in manifest.runs] == [report["copied"]]


def test_nothing_served_yet_is_said_with_what_to_do(first: First, tmp_path: Path) -> None:
    first.config.write_text(first.config.read_text().replace(str(first.root), str(tmp_path / "new")))
    ended = first.export()
    assert ended.code == ExitCode.NO
    assert "tidegate serve" in ended.err
    assert not first.to.exists()


# Again


def test_run_again_it_copies_nothing_and_after_a_loss_only_what_is_missing(first: First) -> None:
    before = first.exported()
    again = first.exported()
    assert (again["copied"], again["linked"], again["present"]) == (0, 0, before["files"])
    (first.to / HELLO).unlink()
    (first.to / INRELEASE).write_bytes(b"cut off")
    healed = first.exported()
    assert healed["copied"] == 2
    assert (first.to / INRELEASE).read_bytes() == first.archive.read("dists/stable/InRelease")
    assert [one.copied for one in first.manifest.runs] == [before["copied"], 0, 2]


def test_damage_of_the_right_size_is_found_by_reading_all_of_it_and_put_right(first: First) -> None:
    first.exported()
    damage(first.to / HELLO)
    assert first.exported()["copied"] == 0
    assert first.exported("--verify")["copied"] == 1
    assert (first.to / HELLO).read_bytes() == first.blob(HELLO).read_bytes()


def test_damaged_index_is_put_right_under_both_of_its_names_without_being_asked(first: First) -> None:
    first.exported()
    packages = "dists/stable/main/binary-amd64/Packages.xz"
    damage(first.to / "debian" / packages)  # the other name is a link to it
    first.exported()
    for path in (packages, first.archive.by_hash_path(packages)):
        assert (first.to / "debian" / path).read_bytes() == first.archive.read(packages)


def test_end_at_any_write_leaves_whole_files_and_whole_suites_and_the_next_run_goes_on(
    first: First, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_folder, "BATCH_FILES_MAX", 4)
    for point in itertools.count():
        with monkeypatch.context() as patch:
            calls = full_from(point, patch)
            ended = first.export()
        assert_whole(first)
        if ended.code == ExitCode.OK:
            break
        assert ended.code == ExitCode.IO_ERROR
        assert f"{first.to}: No space left" in ended.err
        assert calls[0] > point
        present = len(first.files - {MANIFEST})
        assert first.exported()["present"] == present
        shutil.rmtree(first.to)
    assert point > POINTS_MIN


def full_from(point: int, patch: pytest.MonkeyPatch) -> list[int]:
    """Let the disc be full from this call on that makes something lasting; counts them."""
    calls = [0]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] > point:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **options)

        return call

    patch.setattr("tidegate.wiring.export_folder.copy", counted(copy))
    patch.setattr(os, "fsync", counted(os.fsync))
    patch.setattr(Path, "rename", counted(Path.rename))
    return calls


def assert_whole(first: First) -> None:
    """Every file that has a name is what it is to be, and a Release is there only with what it lists."""
    there = first.files - {MANIFEST}
    assert not [one for one in there if one.startswith(PARTIAL)]
    for one in there:
        assert (first.to / one).read_bytes() == first.archive.read(one.removeprefix("debian/"))
    if INRELEASE in there:
        assert {"Packages.xz", "Sources.xz"} <= {Path(one).name for one in there}
        assert len([one for one in there if one.endswith(".deb")]) == len(NAMES)


def test_what_an_export_that_was_killed_left_is_cleared_away(first: First) -> None:
    (first.to / PARTIAL).mkdir(parents=True)
    (first.to / PARTIAL / "17").write_bytes(b"half")
    first.exported()
    assert not (first.to / PARTIAL).exists()


def test_two_at_a_time_is_said_to_be_one_too_many(first: First) -> None:
    folder = ExportFolder(first.to)
    try:
        assert first.export().code == ExitCode.TEMPORARY
    finally:
        folder.close()
    first.exported()


# News


def test_newer_export_is_adopted_and_an_older_one_is_refused_by_whoever_knows_better(first: First) -> None:
    older = first.root.parent / "older"
    first.exported(to=older)
    first.archive.update_package("hello", "2.0")
    first.archive.publish()
    first.work("hello")
    first.exported()

    async def adopt(here: House) -> None:
        assert (await here.adopt()).date == first.archive.release_date()

    async def refuse(here: House) -> None:
        said = await here.refused()
        assert "older" in said
        served = here.served()
        assert served is not None
        assert served.date == first.archive.release_date()

    second(first, adopt)
    second(first, refuse, to=older)


def test_since_a_date_only_what_came_later_is_carried_with_all_metadata(
    first: First, monkeypatch: pytest.MonkeyPatch
) -> None:
    first.exported()
    now = time.time()
    old = {path.stat().st_ino for path in (first.root / "cache/blobs").glob("??/*")}
    ages = {True: LONG_AGO_S, False: 0}
    monkeypatch.setattr("tidegate.holding.carrying.born_at", lambda fd: now - ages[os.fstat(fd).st_ino in old])
    first.archive.update_package("hello", "2.0")
    first.archive.publish()
    first.work("hello")
    difference = first.root.parent / "difference"
    day = time.strftime("%Y-%m-%d", time.gmtime(now - 86_400))
    first.exported("--since", day, to=difference)
    assert [path.name for path in difference.rglob("*.deb")] == ["hello_2.0_amd64.deb"]
    shutil.copytree(difference, first.to, dirs_exist_ok=True)

    async def check(here: House) -> None:
        await here.adopt()
        for one in first.archive.suites["stable"].packages:
            if one.name in NAMES:
                assert await here.fetch(one.path) == first.archive.read(one.path)
        assert isinstance(await here.look(), Confirmed)

    second(first, check)


def test_what_was_used_since_a_date_is_not_taken_for_what_came_since(tmp_path: Path) -> None:
    with (tmp_path / "blob").open("wb") as file:
        born = born_at(file.fileno())
        os.utime(file.fileno(), (0, 0))
        if born is None:
            pytest.skip("this file system does not know when a file was made")
        assert abs(born - time.time()) < 60.0
        assert born_at(file.fileno()) == born


def test_files_of_earlier_runs_stay_in_the_manifest_while_they_are_there(first: First) -> None:
    first.exported()
    first.archive.update_package("hello", "2.0")
    first.archive.publish()
    first.work("hello")
    first.exported()
    paths = {one.path for one in first.manifest.files}
    assert HELLO in paths
    assert HELLO.replace("1.0", "2.0") in paths
    assert paths == first.files - {MANIFEST}


# Choosing


def test_packages_by_pattern_bring_the_metadata_along_and_what_is_not_held_is_named(first: First) -> None:
    ended = first.export("--package", "hel*", "--package", "plain", "--package", "nothing", "--json")
    assert ended.code == ExitCode.NO
    report = ended.json
    assert [path.name for path in first.to.rglob("*.deb")] == ["hello_1.0_amd64.deb"]
    assert "debian/pool/main/p/plain/plain_0.1_amd64.deb" in report["lacking"]
    assert report["unknown"] == ["no chosen suite lists a package 'nothing'"]
    assert (first.to / INRELEASE).exists()
    said = first.export("--package", "plain").err
    assert "plain_0.1_amd64.deb: was chosen and is not held" in said


def test_hot_set_is_what_clients_asked_for_and_what_rules_want(first: First) -> None:
    holds = SqliteHolds(Layout(first.root / "state", first.root / "cache").holds)
    now = int(time.time())
    holds.note_used([PackageKey("debian", "stable", "main", "amd64", "hello")], now)
    holds.wish(Wish("greetings", ("greet-*",), since=now))
    holds.replace(Origin.NEED, "greetings", [PackageKey("debian", "stable", "main", "amd64", "plain")], now)
    holds.close()
    ended = first.export("--hot-set", "--json")
    assert ended.code == ExitCode.NO
    assert ended.json["lacking"] == ["debian/pool/main/p/plain/plain_0.1_amd64.deb"]
    names = {path.name.partition("_")[0] for path in first.to.rglob("*.deb")}
    assert names == {"hello", "greet-data"}


def test_hot_set_that_wants_nothing_is_said(first: First) -> None:
    ended = first.export("--hot-set")
    assert ended.code == ExitCode.NO
    assert "nothing that the chosen suites list is in the hot set" in ended.err


def test_newer_version_that_is_held_stands_for_the_older_one(first: First) -> None:
    first.archive.add_package("plain", "0.2", suite="stable-updates")
    first.archive.publish()

    async def adopt_updates() -> None:
        suites = ("stable", "stable-updates")
        pinned = configured(first.archive.keys.keyring, first.server.url, suites=suites)
        async with house(first.root, pinned) as here:
            await here.look()
            await here.adopt("stable-updates")
            (newer,) = first.archive.suites["stable-updates"].packages
            assert await here.fetch(newer.path) is not None

    asyncio.run(adopt_updates())
    report = first.exported("--package", "plain")
    assert {one["suite"]: one["packages"] for one in report["suites"]} == {"stable": 0, "stable-updates": 1}


def test_suite_or_archive_that_is_not_served_is_said(first: First) -> None:
    ended = first.export("--suite", "sid", "--archive", "debain")
    assert ended.code == ExitCode.NO
    assert "no suite 'sid' is served" in ended.err
    assert "nothing is served of an archive 'debain'" in ended.err


# Trouble


def test_blob_that_rotted_in_the_store_is_named_and_not_carried_on(first: First) -> None:
    damage(first.blob(HELLO))
    ended = first.export("--json")
    assert ended.code == ExitCode.NO
    assert ended.json["damaged"] == [HELLO]
    assert HELLO not in first.files
    assert HELLO not in {one.path for one in first.manifest.files}


def test_suite_whose_index_is_missing_or_rotten_is_carried_without_its_release(first: First) -> None:
    index = first.blob("debian/dists/stable/main/binary-amd64/Packages.xz")
    whole = index.read_bytes()
    damage(index)
    ended = first.export("--json")
    assert ended.code == ExitCode.NO
    assert [one["whole"] for one in ended.json["suites"]] == [False]
    assert INRELEASE not in first.files
    index.unlink()
    assert "debian stable: an index is missing" in first.export().err
    index.write_bytes(whole)
    first.exported()
    assert INRELEASE in first.files


def test_too_little_room_is_said_before_anything_is_copied(first: First, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportFolder, "free_bytes", lambda _: 1_000_000)
    ended = first.export()
    assert ended.code == ExitCode.IO_ERROR
    assert "1,000,000 are free; nothing was copied" in ended.err
    assert first.files == set()


def test_file_system_without_links_has_each_index_once_and_serves_all_the_same(
    first: First, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    report = first.exported()
    assert report["left_out"] > 0
    assert not list(first.to.rglob("by-hash"))
    assert first.exported()["present"] == report["files"]

    async def check(here: House) -> None:
        await here.adopt()

    second(first, check)


def test_link_that_leads_out_of_the_folder_is_not_followed(first: First, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    first.to.mkdir()
    (first.to / "debian").symlink_to(outside)
    ended = first.export()
    assert ended.code == ExitCode.IO_ERROR
    assert "leads out" in ended.err
    assert list(outside.iterdir()) == []


def test_manifest_that_somebody_bent_names_nothing_beyond_the_folder(first: First) -> None:
    first.exported()
    manifest = first.manifest
    bent = msgspec.structs.replace(manifest.files[0], path="../tidegate.toml", size=first.config.stat().st_size)
    told = msgspec.structs.replace(manifest, files=(*manifest.files, bent))
    (first.to / MANIFEST).write_bytes(msgspec.json.encode(told))
    first.exported()
    assert first.manifest.files == manifest.files
    (first.to / MANIFEST).write_bytes(b"{")
    first.exported()
    assert {one.path for one in first.manifest.files} == {one.path for one in manifest.files}


def test_tampered_package_and_tampered_release_are_refused_by_the_second_gateway(first: First) -> None:
    first.exported()
    damage(first.to / HELLO)

    async def tampered_package(here: House) -> None:
        await here.adopt()
        assert await here.fetch(HELLO.removeprefix("debian/")) is None
        assert await here.fetch("pool/main/g/greet-data/greet-data_3.0_all.deb") is not None

    second(first, tampered_package)
    text = (first.to / INRELEASE).read_bytes().replace(b"Suite: stable", b"Suite: stab1e")
    (first.to / INRELEASE).write_bytes(text)

    async def tampered_release(here: House) -> None:
        await here.refused()
        assert here.served() is None

    second(first, tampered_release, "third")


# Telling


def test_settings_in_the_document_can_be_used_as_they_stand() -> None:
    text = (ROOT / "docs/air-gap.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (archive,) = load(block, "docs/air-gap.md").archive
    assert source_of(archive.source[0].url, reach=Reach.PUBLIC, operator="", kind="mirror").kind == "media"


def test_progress_is_a_line_of_json_where_no_terminal_is(first: First) -> None:
    ended = first.export().good()
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert [lines[0]["stage"], lines[-1]["stage"]] == ["looking", "copying"]
    assert lines[-1]["files"] == lines[-1]["of"] > 0
    assert lines[-1]["bytes"] == lines[-1]["of_bytes"] > 0
    assert "debian   stable" in ended.out
    assert "make up this export" in ended.out
