"""What is exported says what the index says: DuckDB reads it, by the queries that stand in the document."""

import duckdb
import pytest

from tests.fleet.exported import NOW, Exported, exported, statements_of
from tests.fleet.test_index import LINES
from tidegate.archive.versions import compare
from tidegate.fleet.tables import TABLES

DOCUMENT = "exposure-export.md"
CVE = "CVE-2026-0001"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def reader(made: Exported) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for statement in statements_of(DOCUMENT, made.folder):
        if statement.startswith("CREATE VIEW"):
            connection.execute(statement)
    return connection


def asked(reader: duckdb.DuckDBPyConnection, made: Exported, words: str, about: str = CVE) -> list[tuple[object, ...]]:
    """The one query of the document that has these words."""
    (query,) = [one for one in statements_of(DOCUMENT, made.folder) if words in one and one.startswith("SELECT")]
    return reader.execute(query.replace(CVE, about)).fetchall()


@pytest.mark.parametrize("about", sorted(LINES))
def test_the_hosts_of_a_cve_are_the_indexs(reader: duckdb.DuckDBPyConnection, made: Exported, about: str) -> None:
    numbers = {entry.host.id: entry.number for entry in made.hosts.entries()}
    found: dict[str, set[int]] = {}
    for name, identity in asked(reader, made, "SELECT class, id", about):
        found.setdefault(str(name), set()).add(numbers[str(identity)])
    assert found == made.exposed(about)


def test_what_most_hosts_have_is_counted_by_distinct_hosts(reader: duckdb.DuckDBPyConnection, made: Exported) -> None:
    assert asked(reader, made, "count(DISTINCT host)") == made.most()


def test_every_row_of_findings_is_one_of_the_hosts_verdicts(reader: duckdb.DuckDBPyConnection, made: Exported) -> None:
    rows = reader.execute("SELECT id, about, package, version, class, fixed, reason FROM exposure").fetchall()
    found: dict[object, set[tuple[object, ...]]] = {}
    for identity, *row in rows:
        found.setdefault(identity, set()).add(tuple(row))
    for entry in made.hosts.entries():
        ((_, by_itself),) = made.lookout.verdicts(entry.host.id, NOW)
        told = {(one.about, one.package, one.version, one.exposure.value, one.fixed) for one in by_itself.findings}
        assert {row[:5] for row in found.get(entry.host.id, set())} == told


def test_versions_that_are_older_than_a_fix_are_found_by_their_keys(
    reader: duckdb.DuckDBPyConnection, made: Exported
) -> None:
    found = asked(reader, made, "source_version_key < s.fixed_key")
    assert {(str(have), str(fixed)) for _, have, fixed in found} == {("5.2-1", "5.2-2"), ("1", "2")}
    assert all(compare(str(have), str(fixed)) < 0 for _, have, fixed in found)


def test_the_document_names_every_table_and_column_as_they_are(made: Exported) -> None:
    from tests.docs.documents import ROOT

    text = (ROOT / "docs" / DOCUMENT).read_text()
    for table in TABLES:
        assert f"**{table.name}**: {table.meaning}" in text
        for column in table.columns:
            kind = f"{column.kind.value}{', or nothing' if column.may_lack else ''}"
            assert f"| `{column.name}` | {kind} | {column.meaning} |" in text


def test_rows_come_in_the_order_that_is_promised(reader: duckdb.DuckDBPyConnection) -> None:
    assert (
        reader.execute("SELECT host FROM has").fetchall()
        == reader.execute("SELECT host FROM has ORDER BY 1").fetchall()
    )
    by_cell = reader.execute('SELECT cell, host FROM "groups"').fetchall()
    assert by_cell == sorted(by_cell)
