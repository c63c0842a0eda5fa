"""The hot set's facts in SQLite and in memory: the contract, both side by side, and what a restart leaves."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.holds_contract import NOW, HoldsContract, key, used
from tidegate.store.holds import Holds, MemoryHolds, Origin, Wish
from tidegate.store.sqlite_holds import SqliteHolds


class TestSqliteHolds(HoldsContract):
    @pytest.fixture
    def holds(self, tmp_path: Path) -> Iterator[Holds]:
        with closing(SqliteHolds(tmp_path / "holds.db")) as holds:
            yield holds


class TestMemoryHolds(HoldsContract):
    @pytest.fixture
    def holds(self) -> Holds:
        return MemoryHolds()


NAMES = st.sampled_from("abcd")
KEYS = st.lists(st.builds(key, NAMES, st.sampled_from(["stable", "testing"])), max_size=4)
MOMENTS = st.integers(NOW - 5, NOW + 5)
STEPS = st.one_of(
    st.tuples(st.just("note_used"), KEYS, MOMENTS),
    st.tuples(st.just("replace"), st.sampled_from(Origin), NAMES, KEYS, MOMENTS),
    st.tuples(st.just("forget"), MOMENTS),
    st.tuples(st.just("forget_named"), NAMES),
    st.tuples(st.just("wish"), st.builds(Wish, NAMES)),
    st.tuples(st.just("unwish"), NAMES),
)


@given(st.lists(STEPS, max_size=12))
def test_whatever_happens_sqlite_answers_as_the_dictionaries_do(steps: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory(prefix="tg-holds-") as directory:
        memory = MemoryHolds()
        with closing(SqliteHolds(Path(directory) / "holds.db")) as sqlite:
            for name, *arguments in steps:
                first, second = (getattr(holds, name)(*arguments) for holds in (sqlite, memory))
                assert first == second
                assert sqlite.all() == memory.all()
                assert sqlite.wishes() == memory.wishes()


def test_two_processes_note_uses_beside_each_other_and_a_restart_finds_them(tmp_path: Path) -> None:
    path = tmp_path / "holds.db"
    with closing(SqliteHolds(path)) as one, closing(SqliteHolds(path)) as other:
        one.note_used([key()], NOW)
        other.note_used([key()], NOW + 1)
        other.wish(Wish("web", ("nginx",)))
        assert one.all() == (used(key(), NOW, NOW + 1, 2),)
    with closing(SqliteHolds(path)) as again:
        assert again.all() == (used(key(), NOW, NOW + 1, 2),)
        assert again.wishes() == (Wish("web", ("nginx",)),)


def test_a_full_disk_is_told_as_an_oserror_and_changes_nothing(tmp_path: Path) -> None:
    """Threat 37."""
    with closing(SqliteHolds(tmp_path / "holds.db")) as holds:
        holds.note_used([key()], NOW)
        (pages,) = holds._connection.execute("PRAGMA page_count").fetchone()
        holds._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match="full"):
            holds.note_used((key(f"name{number}") for number in range(5_000)), NOW + 1)
        assert holds.all() == (used(key()),)
