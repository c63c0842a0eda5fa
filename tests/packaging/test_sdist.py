"""What the source distribution has: what runs and its documents, and none of the tests' borrowed data."""

import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_source_distribution_ships_no_test_data_and_all_that_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = tmp_path.iterdir()
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not [name for name in names if name.startswith(("tests", "bench"))]
    assert {"LICENSE", "README.md", "pyproject.toml", "docs/advisories.md"} <= names
    assert {"src/tidegate/presets/feeds/known.toml", "src/tidegate/presets/keys"} <= names | {
        name.rpartition("/")[0] for name in names
    }
