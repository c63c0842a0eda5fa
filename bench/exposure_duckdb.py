"""`python -m bench.exposure_duckdb OUT`: the same questions of DuckDB, from the tables that lie in OUT, in memory.

It is given what is found already, so that only sets of hosts are compared; as integers, sorted for each question, and
with the size of each cell. Its top CVEs are asked for in two ways: by distinct hosts, as anybody would write it, and by
the sums of the cells' sizes wherever a CVE's cells have no host in common, which was found out while loading.
"""

import json
import sys
from functools import partial
from pathlib import Path

import duckdb

from bench.exposure_figures import Figures, memory_mb, spread, took
from bench.exposure_ours import CHANGES, CVES, HOSTS_ASKED, TOP

TOPS = 20
_LOAD = """
CREATE TABLE silent AS SELECT host FROM '{out}/hosts.parquet' WHERE unknown_since IS NOT NULL ORDER BY host;
CREATE TABLE about AS SELECT row_number() OVER (ORDER BY about) AS number, about
  FROM (SELECT DISTINCT about FROM '{out}/findings.parquet');
CREATE TABLE class AS SELECT row_number() OVER (ORDER BY class) AS number, class
  FROM (SELECT DISTINCT class FROM '{out}/findings.parquet');
CREATE TABLE member AS SELECT cell, host FROM '{out}/groups.parquet' ORDER BY cell, host;
CREATE TABLE by_host AS SELECT host, cell FROM member ORDER BY host, cell;
CREATE TABLE finding AS SELECT DISTINCT a.number::UINTEGER AS about, f.cell, c.number::UTINYINT AS class
  FROM '{out}/findings.parquet' f JOIN about a USING (about) JOIN class c USING (class) ORDER BY 1, 2, 3;
CREATE TABLE by_cell AS SELECT f.cell, a.number::UINTEGER AS about, f.package, c.number::UTINYINT AS class
  FROM '{out}/findings.parquet' f JOIN about a USING (about) JOIN class c USING (class) ORDER BY 1, 2;
CREATE TABLE size AS SELECT cell, count(*)::UINTEGER AS hosts FROM member ANTI JOIN silent USING (host) GROUP BY cell;
"""
_KNOWN = "finding WHERE class <> coalesce((SELECT number FROM class WHERE class = 'unknown'), 0)"
_DISTINCT = f"""
CREATE TABLE counted AS
  SELECT about, count(DISTINCT host) AS n, count(*) AS rows FROM (SELECT DISTINCT about, cell FROM {_KNOWN}) f
  JOIN member USING (cell) ANTI JOIN silent USING (host) GROUP BY about"""
_COUNTED = "SELECT a.about, n FROM counted t JOIN about a ON a.number = t.about ORDER BY n DESC, a.about"
_SINGLE = f"""
CREATE TABLE shared AS SELECT about FROM counted WHERE n < rows;
CREATE TABLE single AS SELECT about, cell FROM (SELECT DISTINCT about, cell FROM {_KNOWN})
  ANTI JOIN shared USING (about) ORDER BY about, cell"""
_SUMS = f"""
SELECT a.about, n FROM (
  SELECT about, sum(hosts) AS n FROM single JOIN size USING (cell) GROUP BY about
  UNION ALL
  SELECT about, count(DISTINCT host) AS n FROM (SELECT DISTINCT about, cell FROM {_KNOWN} AND about IN (FROM shared)) f
  JOIN member USING (cell) ANTI JOIN silent USING (host) GROUP BY about) t
JOIN about a ON a.number = t.about WHERE n > 0 ORDER BY n DESC, a.about"""
_HOSTS = """
SELECT CASE WHEN s.host IS NULL THEN c.class ELSE 'unknown' END AS class, list(DISTINCT m.host) AS hosts
FROM finding f JOIN member m USING (cell) JOIN class c ON c.number = f.class LEFT JOIN silent s ON s.host = m.host
WHERE f.about = (SELECT number FROM about WHERE about = ?) GROUP BY 1"""
_HOST = """
SELECT DISTINCT a.about, f.package, CASE WHEN s.host IS NULL THEN c.class ELSE 'unknown' END
FROM (SELECT * FROM by_host WHERE host = ?) m JOIN by_cell f USING (cell) JOIN about a ON a.number = f.about
JOIN class c ON c.number = f.class LEFT JOIN silent s ON s.host = m.host ORDER BY ALL"""


def main(out: Path) -> None:
    """Measure, hold its answers against ours, and write down."""
    figures: Figures = {}
    answers = json.loads((out / "answers.json").read_text())
    duck = duckdb.connect()
    figures["load"] = took(lambda: duck.execute(_LOAD.replace("{out}", str(out)))) / 1e3
    figures["top CVEs, by count(DISTINCT)"] = took(lambda: duck.execute(_DISTINCT))
    _must(answers["top"], [list(row) for row in duck.execute(_COUNTED).fetchmany(TOP)])
    duck.execute(_SINGLE)
    _must(answers["top"], [list(row) for row in duck.execute(_SUMS).fetchmany(TOP)])
    for about, classes in answers["exposed"].items():
        _must(classes, {name: len(found) for name, found in duck.execute(_HOSTS, [about]).fetchall()})
    for number, found in answers["hosts"].items():
        _must(found, [list(row) for row in duck.execute(_HOST, [int(number)]).fetchall()])
    abouts = [row[0] for row in duck.execute(_SUMS).fetchall()]
    some = abouts[:: max(1, len(abouts) // CVES)]
    spread(figures, "hosts of a CVE", (took(partial(_ask, duck, _HOSTS, one)) for one in some))
    spread(figures, "top CVEs", (took(lambda: duck.execute(_SUMS).fetchall()) for _ in range(TOPS)))
    count = duck.execute("SELECT count(DISTINCT host) FROM by_host").fetchall()[0][0]
    numbers = range(1, count + 1, max(1, count // HOSTS_ASKED))
    spread(figures, "one host", (took(partial(_ask, duck, _HOST, one)) for one in numbers))
    figures["memory (RSS)"] = memory_mb("VmRSS")
    spread(figures, "a host changes: index", (took(partial(_move, duck, one)) for one in numbers[:CHANGES]))
    (out / "duckdb.json").write_text(json.dumps(figures))


def _ask(duck: duckdb.DuckDBPyConnection, query: str, value: str | int) -> list[tuple[object, ...]]:
    return duck.execute(query, [value]).fetchall()


def _move(duck: duckdb.DuckDBPyConnection, host: int) -> None:
    """A host leaves one cell and enters another: what the smallest change comes to."""
    duck.execute("BEGIN")
    (cell,) = duck.execute("SELECT min(cell) FROM by_host WHERE host = ?", [host]).fetchall()[0]
    for table in ("by_host", "member"):
        duck.execute(f"DELETE FROM {table} WHERE host = ? AND cell = ?", [host, cell])
        duck.execute(f"INSERT INTO {table} (host, cell) VALUES (?, ?)", [host, cell + 1])
    for each, by in ((cell, -1), (cell + 1, 1)):
        duck.execute("UPDATE size SET hosts = hosts + ? WHERE cell = ?", [by, each])
    duck.execute("COMMIT")


def _must(ours: object, theirs: object) -> None:
    if ours != theirs:
        raise SystemExit(f"DuckDB answers otherwise: {str(theirs)[:500]} instead of {str(ours)[:500]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
