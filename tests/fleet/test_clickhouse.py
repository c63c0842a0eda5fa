"""docs/clickhouse.md, run as it stands in chDB, the embedded ClickHouse: its answers are ours. `make clickhouse`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fleet.exported import Exported, exported, statements_of
from tests.fleet.test_index import LINES

session = pytest.importorskip("chdb.session", reason="chDB is not installed: make clickhouse")

DOCUMENT = "clickhouse.md"
CVE = "CVE-2026-0001"


class House:
    """A ClickHouse with an export in it."""

    def __init__(self, made: Exported) -> None:
        self.made = made
        self._statements = statements_of(DOCUMENT, made.folder)
        self._session = session.Session()
        self._session.query("CREATE DATABASE fleet ENGINE = Atomic")
        self._session.query("USE fleet")
        self.run("CREATE TABLE")
        self.run("INSERT INTO")

    def run(self, begin: str) -> None:
        """The document's statements that begin so."""
        for statement in self._statements:
            if statement.startswith(begin):
                self._session.query(statement)

    def ask(self, words: str, about: str = CVE) -> list[dict[str, Any]]:
        """The one question of the document that has these words."""
        (query,) = [one for one in self._statements if words in one and not one.startswith("INSERT")]
        told = str(self._session.query(query.replace(CVE, about), "JSONEachRow"))
        return [json.loads(line) for line in told.splitlines()]

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(exported(tmp_path_factory.mktemp("exported")))
    yield house
    house.close()


def by_class(house: House, about: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for row in house.ask("bitmapToArray", about):
        found.setdefault(row["class"], set()).update(row["known"])
        found.setdefault("unknown", set()).update(row["unknown"])
    return {name: hosts for name, hosts in found.items() if hosts}


@pytest.mark.parametrize("about", sorted(LINES))
def test_the_hosts_of_a_cve_are_the_indexs(house: House, about: str) -> None:
    assert by_class(house, about) == house.made.exposed(about)


def test_what_most_hosts_have_is_the_indexs(house: House) -> None:
    assert [(row["about"], int(row["count"])) for row in house.ask("bitmapCardinality")] == house.made.most()


def test_versions_that_are_older_than_a_fix_are_found_by_their_keys(house: House) -> None:
    assert [(row["version"], int(row["count"])) for row in house.ask("version_key <")] == [("5.2-1", 36)]


def test_an_export_that_is_inserted_twice_changes_nothing(house: House) -> None:
    before = house.ask("bitmapCardinality"), house.ask("GROUP BY at"), by_class(house, CVE)
    house.run("INSERT INTO")
    assert (house.ask("bitmapCardinality"), house.ask("GROUP BY at"), by_class(house, CVE)) == before
