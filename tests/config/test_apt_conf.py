"""apt.conf, as far as it says where sources and keys are; apt-config is the judge."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.config.apt_conf import AptConf, parse_apt_conf, read_apt_conf

TEXT = """\
// a comment with "quotes"; and { braces
# another
/* Dir::Etc::Trusted "commented"; */
Dir "/base";
Dir::Etc { SourceList "lists/mine.list"; SourceParts "/elsewhere/parts"; };
APT { Architecture "arm64"; Architectures { "arm64"; "armhf"; }; };
DPkg::Post-Invoke { "test -e /x && { echo 'a;b'; }"; };
Acquire::Languages:: "none";
Dir::Etc::Main "first"; Dir::Etc::Main "second";
"""


def test_scopes_lists_and_comments_are_understood() -> None:
    values = parse_apt_conf(TEXT)
    assert values["dir"] == ("/base",)
    assert values["dir::etc::sourcelist"] == ("lists/mine.list",)
    assert values["apt::architectures"] == ("arm64", "armhf")
    assert values["acquire::languages"] == ("none",)
    assert values["dir::etc::main"] == ("second",)
    assert "dir::etc::trusted" not in values


def test_relative_directories_lie_below_their_parents() -> None:
    conf, root = AptConf(parse_apt_conf(TEXT)), Path("/r")
    assert conf.path("dir::etc::sourcelist", root) == Path("/r/base/etc/apt/lists/mine.list")
    assert conf.path("dir::etc::sourceparts", root) == Path("/r/elsewhere/parts")
    assert conf.path("dir::etc::trusted", root) == Path("/r/base/etc/apt/trusted.gpg")


@pytest.mark.parametrize("off", ["/dev/null", "-"])
def test_a_directory_that_is_switched_off_is_none(off: str) -> None:
    assert AptConf({"dir::etc::sourceparts": (off,)}).path("dir::etc::sourceparts", Path("/")) is None


@pytest.mark.parametrize("name", ["Dir::Etc::sourcelist", "Dir::Etc::sourceparts", "Dir::Etc::trustedparts"])
def test_apt_itself_says_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "apt.conf"
    path.write_text(TEXT)
    environment = {**os.environ, "APT_CONFIG": str(path)}
    answer = subprocess.run(
        ["apt-config", "shell", "FOUND", f"{name}/f"], env=environment, capture_output=True, text=True, check=True
    )
    (_, said) = shlex.split(answer.stdout)[0].split("=", 1)
    conf = read_apt_conf(tmp_path / "no-root", path)
    assert Path(said.rstrip("/")) == conf.path(name.lower(), Path("/"))


def test_parts_are_read_in_order_and_after_apt_config(tmp_path: Path) -> None:
    parts = tmp_path / "etc/apt/apt.conf.d"
    parts.mkdir(parents=True)
    (parts / "20later").write_text('APT::Architecture "b";')
    (parts / "10first.conf").write_text('APT::Architecture "a"; A::B "1";')
    (parts / "99old.dpkg-old").write_text('APT::Architecture "never";')
    early = tmp_path / "early.conf"
    early.write_text('APT::Architecture "z"; C::D "2";')
    conf = read_apt_conf(tmp_path, early)
    assert (conf.all("apt::architecture"), conf.all("a::b"), conf.all("c::d")) == (("b",), ("1",), ("2",))


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    assert read_apt_conf(tmp_path, tmp_path / "none").values == {}


@given(st.text(alphabet='{};"/*:#a \n\\', max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_apt_conf(text)
