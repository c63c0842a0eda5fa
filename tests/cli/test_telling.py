"""What a running command says: lines of JSON, with journald's priorities where journald reads them."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from tidegate.cli.telling import teller
from tidegate.wiring.news import News
tell = teller(as_json=True)
tell(News("info", "adopted", "fine", {"date": 1}))
tell(News("warning", "source", "a \\x1b[31m line\\n<0> and another"))
tell(News("error", "violation", "wrong bytes"))
"""


def said(to: Path, stream: str) -> list[str]:
    with to.open("w") as output:
        status = os.fstat(output.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": stream.format(f"{status.st_dev}:{status.st_ino}")}
        subprocess.run([sys.executable, "-c", PROGRAM], stdout=output, env=environment, check=True, timeout=60)
    return to.read_text().splitlines()


def test_journald_is_told_how_urgent_each_line_is_and_others_read_json(tmp_path: Path) -> None:
    to_journald = said(tmp_path / "journald", "{}")
    assert [line[:4] for line in to_journald] == ["<6>{", "<4>{", "<3>{"]
    to_a_file = said(tmp_path / "file", "8:1")
    assert [line[:1] for line in to_a_file] == ["{", "{", "{"]
    for lines in ([line[3:] for line in to_journald], to_a_file):
        told = [json.loads(line) for line in lines]
        assert [(one["level"], one["event"]) for one in told] == [
            ("info", "adopted"),
            ("warning", "source"),
            ("error", "violation"),
        ]
        assert told[0]["date"] == 1
        assert told[1]["text"] == "a \x1b[31m line\n<0> and another"
