"""What hosts reported, kept in SQLite and in memory."""

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fleet.hosts_contract import HOSTS_MAX, HostsContract, T, had, take
from tests.fleet.incident import package
from tidegate.fleet.hosts import SILENCE_S, Hosts
from tidegate.fleet.memory_hosts import MemoryHosts
from tidegate.fleet.sqlite_hosts import SqliteHosts


class TestSqliteHosts(HostsContract):
    @pytest.fixture
    def hosts(self, tmp_path: Path) -> Iterator[Hosts]:
        with closing(SqliteHosts(tmp_path / "fleet.db", hosts_max=HOSTS_MAX)) as hosts:
            yield hosts


class TestMemoryHosts(HostsContract):
    @pytest.fixture
    def hosts(self) -> Hosts:
        return MemoryHosts(hosts_max=HOSTS_MAX)


def test_hosts_survive_a_restart_with_their_numbers(tmp_path: Path) -> None:
    with closing(SqliteHosts(tmp_path / "fleet.db")) as hosts:
        take(hosts, had(), ["web"])
        before = list(hosts.entries())
    with closing(SqliteHosts(tmp_path / "fleet.db")) as hosts:
        assert list(hosts.entries()) == before
        take(hosts, had(identity="h2"))
        assert [one.number for one in hosts.entries()] == [1, 2]


def test_a_report_that_cannot_be_written_leaves_no_number_behind(tmp_path: Path) -> None:
    with closing(SqliteHosts(tmp_path / "fleet.db")) as hosts:
        with pytest.raises(ValueError, match="tags"):
            hosts.report(had(), bytes(32), [str(number) for number in range(99)])
        assert list(hosts.entries()) == []
        take(hosts, had())
        assert hosts.inventory("h1") == had()


STEPS = st.tuples(
    st.sampled_from(["report", "confirm", "remove", "tag"]),
    st.sampled_from(["h1", "h2"]),
    st.integers(0, 3),
    st.sampled_from([0, 1, SILENCE_S, SILENCE_S + 1, 5 * SILENCE_S]),
)


@given(st.lists(STEPS, max_size=20))
@settings(max_examples=60)
def test_both_answer_the_same_whatever_was_reported(steps: list[tuple[str, str, int, int]]) -> None:
    memory = MemoryHosts()
    with TemporaryDirectory() as folder, closing(SqliteHosts(Path(folder) / "fleet.db")) as sqlite:
        now, asked = T, {T - 1}
        for what, identity, version, later in steps:
            now += later
            asked |= {now - 1, now, now + 1}
            told = had(package("bash", f"5.{version}"), identity=identity, at=now)
            reported = sha256(bytes([version])).digest()
            match what:
                case "report":
                    assert memory.report(told, reported) == sqlite.report(told, reported)
                case "confirm":
                    assert memory.confirm(identity, reported, now) == sqlite.confirm(identity, reported, now)
                case "remove":
                    assert memory.remove(identity, now) == sqlite.remove(identity, now)
                case _:
                    assert memory.tag(identity, [str(version)]) == sqlite.tag(identity, [str(version)])
        for as_of in [None, *sorted(asked)]:
            assert list(memory.entries(as_of)) == list(sqlite.entries(as_of))
            for identity in ("h1", "h2"):
                assert memory.inventory(identity, as_of) == sqlite.inventory(identity, as_of)
