"""The picture of a run can be made anew."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import ROOT


def _may_unshare() -> bool:
    become_root = () if os.geteuid() == 0 else ("--map-root-user",)
    try:
        done = subprocess.run(
            ["unshare", *become_root, "--net", "--mount", "ip", "link"],
            capture_output=True,
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


def words_of_the_gateway(picture: str) -> list[str]:
    """What the gateway says in a picture, in order, without figures. apt's words change with its version, and which of
    the two mirrors answers first is anybody's guess."""
    said = html.unescape(" ".join(re.findall(r"<text [^>]*>([^<]*)</text>", picture))).replace("\xa0", " ")
    said = said.replace("mirror-b.example", "archive.example")
    return re.findall(r"[A-Za-z][\w.:/-]*", said.partition(" clients ")[0])


@pytest.mark.slow
def test_the_picture_in_the_readme_is_what_the_programs_say_today(tmp_path: Path) -> None:
    if not _may_unshare():
        pytest.skip("this machine makes no network namespaces, or has no ip(8)")
    fresh = tmp_path / "run.svg"
    subprocess.run(
        ["docs/img/run.sh", str(fresh)],
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable},
        check=True,
        capture_output=True,
        timeout=100,
    )
    shown = (ROOT / "docs/img/run.svg").read_text()
    assert "older-than-accepted:" in words_of_the_gateway(shown)
    assert words_of_the_gateway(fresh.read_text()) == words_of_the_gateway(shown), "make it anew: docs/img/run.sh"
