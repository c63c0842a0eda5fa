"""The catalogue in SQLite and in memory: the contract, and both side by side through random histories."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.store.catalogue_contract import (
    HELLO,
    NEWER_PACKAGES,
    NOW,
    PACKAGES,
    CatalogueContract,
    adoption,
    listed,
    package,
    snapshot,
)
from tests.store.drafts import sha256
from tidegate.archive.packages import Package
from tidegate.store import sqlite_catalogue
from tidegate.store.catalogue import Catalogue, Listed, Look, Snapshot
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.store.sqlite_catalogue import LOOK_AGAIN_S, SqliteCatalogue


class TestSqliteCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self, tmp_path: Path) -> Iterator[Catalogue]:
        with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as catalogue:
            yield catalogue


class TestMemoryCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self) -> Catalogue:
        return MemoryCatalogue()


def test_a_catalogue_of_an_earlier_version_is_taken_over_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            """
            CREATE TABLE snapshot (
              id INTEGER PRIMARY KEY, archive TEXT NOT NULL, suite TEXT NOT NULL, date INTEGER NOT NULL,
              valid_until INTEGER, payload BLOB NOT NULL, source TEXT NOT NULL, adopted_at INTEGER NOT NULL,
              confirmed_at INTEGER NOT NULL, replaced_at INTEGER);
            INSERT INTO snapshot VALUES (7, 'debian', 'stable', 1, NULL, x'00', 'http://m.example', 2, 3, NULL);
            CREATE TABLE look (
              archive TEXT, suite TEXT, at INTEGER NOT NULL, ok INTEGER NOT NULL, outcome TEXT NOT NULL,
              PRIMARY KEY (archive, suite)) WITHOUT ROWID;
            INSERT INTO look VALUES ('debian', 'stable', 4, 1, 'adopted');
            """
        )
    for _ in range(2):
        with closing(SqliteCatalogue(path)) as catalogue:
            kept = catalogue.snapshot("debian", "stable")
            assert kept == Snapshot("debian", "stable", 1, None, b"\0", "http://m.example", 2, 3, None, 7)
            assert catalogue.looks() == (Look("debian", "stable", 4, True, "adopted"),)


def test_listings_of_an_earlier_version_serve_until_they_are_taken_in_anew(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    hello = package("hello")
    with closing(SqliteCatalogue(path)) as catalogue:
        catalogue.add_listing(PACKAGES.digest, [hello, package("gone")])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            """
            DROP INDEX artifact_name;
            ALTER TABLE listing DROP COLUMN form;
            ALTER TABLE artifact DROP COLUMN name;
            ALTER TABLE artifact DROP COLUMN version;
            ALTER TABLE artifact DROP COLUMN architecture;
            ALTER TABLE artifact DROP COLUMN source;
            ALTER TABLE artifact DROP COLUMN source_version;
            """
        )
    with closing(SqliteCatalogue(path)) as catalogue:
        assert catalogue.artifact("debian", hello.path) == Listed(hello.path, hello.sha256, hello.size)
        assert not catalogue.has_listing(PACKAGES.digest)
        assert catalogue.outdated() == (PACKAGES,)
        assert catalogue.offers_at("debian", hello.path) == ()
        catalogue.add_listing(PACKAGES.digest, [hello])
        assert catalogue.has_listing(PACKAGES.digest)
        assert catalogue.outdated() == ()
        assert catalogue.packages(PACKAGES.digest) == (hello,)
        assert catalogue.artifact("debian", package("gone").path) is None


ARCHIVES = st.sampled_from(["debian", "contoso"])
SUITES = st.sampled_from(["stable", "testing"])
INDICES = st.sampled_from(range(5))
ARTIFACTS = [f"pool/{index}/{name}.deb" for index in range(5) for name in "ab"]


def index(number: int) -> Listed:
    return listed(f"main/binary-{number}/Packages", f"index {number}")


def strong(number: int) -> bytes:
    return sha256(b"a stand-in for SHA-512, its first half %d" % number) * 2


def artifacts_of(number: int, version: int) -> list[Listed | Package]:
    """Each index has paths of its own, so that no two of them in one snapshot disagree."""
    plain, other = (listed(f"pool/{number}/{name}.deb", f"{name} {version}") for name in "ab")
    return [plain, Package(*other, f"name{version}", "1", "amd64", "b", "1")]


class Histories(RuleBasedStateMachine):
    """Whatever happens, SQLite answers as the dictionaries do."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="tg-catalogue-")
        self.sqlite = SqliteCatalogue(Path(self._directory.name) / "catalogue.db")
        self.memory = MemoryCatalogue()
        self.now = NOW
        self.seen: list[tuple[int, tuple[object, ...]]] = []

    def teardown(self) -> None:
        self.sqlite.close()
        self._directory.cleanup()

    @property
    def both(self) -> tuple[Catalogue, Catalogue]:
        return self.sqlite, self.memory

    @rule(archive=ARCHIVES, suite=SUITES, indices=st.sets(INDICES, max_size=3))
    def adopt(self, archive: str, suite: str, indices: set[int]) -> None:
        self.now += 1
        new = snapshot(suite, date=self.now, adopted_at=self.now, archive=archive)
        members = [index(number) for number in indices]
        for catalogue in self.both:
            catalogue.adopt(adoption(new, members, {strong(number): index(number).digest for number in indices}))

    @rule(number=INDICES, version=st.integers(0, 2))
    def take_in(self, number: int, version: int) -> None:
        for catalogue in self.both:
            catalogue.add_listing(index(number).digest, artifacts_of(number, version))

    @rule(archive=ARCHIVES, suite=SUITES, number=INDICES)
    def add_member(self, archive: str, suite: str, number: int) -> None:
        for catalogue in self.both:
            served = catalogue.snapshot(archive, suite)
            if served is not None:
                catalogue.add_members(served, [index(number)])

    @rule(archive=ARCHIVES, suite=SUITES, by=st.sets(st.sampled_from("abc")))
    def confirm(self, archive: str, suite: str, by: set[str]) -> None:
        self.now += 1
        for catalogue in self.both:
            catalogue.confirm(archive, suite, self.now, by)

    @rule(ago=st.integers(0, 4))
    def retire(self, ago: int) -> None:
        first, second = (catalogue.retire(self.now - ago) for catalogue in self.both)
        assert first == second

    @rule(number=st.integers(0, 9), archive=ARCHIVES)
    def ask(self, number: int, archive: str) -> None:
        self.now += 1
        for catalogue in self.both:
            catalogue.note_asked(archive, "stable", f"index {number}", self.now)

    @staticmethod
    def answers(catalogue: Catalogue) -> tuple[object, ...]:
        def told(one: Snapshot) -> tuple[object, ...]:
            held = tuple(sorted(catalogue.members(one)))
            return (*(getattr(one, f) for f in Snapshot.__slots__ if f != "id"), held)

        archives = ("debian", "contoso")
        return (
            *(told(one) for one in catalogue.served()),
            *(catalogue.artifact(archive, path) for archive in archives for path in ARTIFACTS),
            *(catalogue.by_digest(archive, index(n).digest) for archive in archives for n in range(5)),
            *(catalogue.by_digest(archive, strong(n)) for archive in archives for n in range(5)),
            *(catalogue.packages(index(n).digest) for n in range(5)),
            *(catalogue.packages(index(n).digest, ["name1"]) for n in range(5)),
            *(catalogue.package_names(index(n).digest) for n in range(5)),
            *(frozenset(catalogue.offers_at(archive, path)) for archive in archives for path in ARTIFACTS),
            *(catalogue.listings(one) for one in catalogue.served()),
        )

    @invariant()
    def both_answer_alike(self) -> None:
        assert self.answers(self.sqlite) == self.answers(self.memory)
        for archive in ("debian", "contoso"):
            assert self.sqlite.asked(archive, "stable", self.now - 3) == self.memory.asked(
                archive, "stable", self.now - 3
            )

    @invariant()
    def one_generation_has_one_set_of_answers(self) -> None:
        for number, catalogue in enumerate(self.both):
            generation, answers = catalogue.generation() * 2 + number, self.answers(catalogue)
            assert all(known == answers for seen, known in self.seen if seen == generation)
            self.seen.append((generation, answers))

    @invariant()
    def at_most_one_snapshot_of_a_suite_is_served(self) -> None:
        served = [(one.archive, one.suite) for one in self.sqlite.served()]
        assert len(served) == len(set(served))


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_what_was_adopted_is_there_after_a_restart(tmp_path: Path) -> None:
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as catalogue:
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        adopted = catalogue.adopt(adoption(snapshot(), [PACKAGES]))
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as catalogue:
        assert catalogue.served() == (adopted,)
        assert catalogue.artifact("debian", HELLO.path) == HELLO


def test_a_reader_keeps_its_answer_whole_while_another_adopts(tmp_path: Path) -> None:
    with (
        closing(SqliteCatalogue(tmp_path / "catalogue.db")) as mine,
        closing(SqliteCatalogue(tmp_path / "catalogue.db")) as others,
    ):
        old = mine.adopt(adoption(snapshot(), [PACKAGES]))
        generation = mine.generation()
        new = others.adopt(adoption(snapshot(date=NOW + 1), [NEWER_PACKAGES]))
        wait_for_another_generation(mine, generation)
        assert mine.served() == (new,)
        assert mine.members(old) == (PACKAGES,)


def test_what_another_has_written_shows_at_once_to_who_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_catalogue, "LOOK_AGAIN_S", 3600.0)
    with (
        closing(SqliteCatalogue(tmp_path / "catalogue.db")) as mine,
        closing(SqliteCatalogue(tmp_path / "catalogue.db")) as others,
    ):
        mine.adopt(adoption(snapshot(), [PACKAGES]))
        assert mine.artifact("debian", HELLO.path) is None
        others.add_listing(PACKAGES.digest, [HELLO])
        mine.look_again()
        assert mine.artifact("debian", HELLO.path) == HELLO


def test_a_full_disk_is_told_as_an_oserror_and_changes_nothing(tmp_path: Path) -> None:
    """Threat 37. A database that may not grow is what a full disk is to SQLite."""
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as catalogue:
        adopted = catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        limit_size(catalogue._write)
        many = [listed(f"pool/{number}") for number in range(5_000)]
        with pytest.raises(OSError, match="full"):
            catalogue.add_listing(NEWER_PACKAGES.digest, many)
        with pytest.raises(OSError, match="full"):
            catalogue.adopt(adoption(snapshot(date=NOW + 1), many))
        assert catalogue.served() == (adopted,)
        assert not catalogue.has_listing(NEWER_PACKAGES.digest)
        assert catalogue.members(adopted) == (PACKAGES,)


def wait_for_another_generation(catalogue: Catalogue, generation: int) -> None:
    """Another process's adoption is seen after a moment, and no later."""
    until = time.monotonic() + LOOK_AGAIN_S
    while catalogue.generation() == generation:
        assert time.monotonic() < until + 1.0, "the other's adoption is not seen"
        time.sleep(0.005)


def test_an_adoption_is_seen_at_once_where_it_was_made(tmp_path: Path) -> None:
    """Whoever asked for it looks again in the same moment: `not listed` would be a lie by then."""
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as catalogue:
        assert catalogue.artifact("debian", HELLO.path) is None
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == HELLO


def limit_size(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
