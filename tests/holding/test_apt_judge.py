"""The real apt's word, on what is held and nothing else."""

from pathlib import Path

import pytest

from tests.holding.stanzas import stanza
from tidegate.holding.apt_judge import judge


def test_apt_says_what_it_would_install() -> None:
    said = judge([stanza("a", Depends="b"), stanza("b", "2", "all"), stanza("c")], ["a"], ["amd64"])
    assert said.installable, said.said
    assert said.takes == {("a", "1", "amd64"), ("b", "2", "all")}


def test_apt_says_what_is_missing() -> None:
    said = judge([stanza("a", Depends="b (>= 2)"), stanza("b")], ["a"], ["amd64"])
    assert not said.installable
    assert "b (>= 2)" in said.said
    assert said.takes == frozenset()


def test_foreign_packages_are_told_with_their_architecture() -> None:
    said = judge(
        [stanza("a", Depends="b:any"), stanza("b", "1", "i386", Multi_Arch="allowed")], ["a"], ["amd64", "i386"]
    )
    assert said.takes == {("a", "1", "amd64"), ("b", "1", "i386")}, said.said


def test_what_is_installed_is_there_and_recommended_comes_on_request() -> None:
    index = [stanza("a", Depends="b", Recommends="c"), stanza("c")]
    said = judge(index, ["a"], ["amd64"], installed=[stanza("b")], recommends=True)
    assert said.takes == {("a", "1", "amd64"), ("c", "1", "amd64")}, said.said


@pytest.mark.parametrize("name", ["--help", "-oDir=/", "a b", "a/../b", ""])
def test_what_is_no_name_never_reaches_apt(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        judge([], [name], ["amd64"])


def test_nothing_is_left_behind_when_apt_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(TimeoutError):
        judge([stanza("a")], ["a"], ["amd64"], timeout_s=0.001)
    assert list(tmp_path.iterdir()) == []
