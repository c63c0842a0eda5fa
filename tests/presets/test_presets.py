"""Presets are facts: complete, with their origin, and their keys are those that the README names."""

import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.presets import load, match, operator_of
from tidegate.trust.keyring import Keyring, load_keyring

README = (files("tidegate.presets") / "keys" / "README.md").read_text("utf-8")
MIRROR = "ftp.xx.debian.org"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"http://{MIRROR}/debian", "debian"),
        (f"https://{MIRROR}:443/debian/", "debian"),
        ("http://FTP.XX.Debian.ORG/debian", "debian"),
        ("http://security.debian.org/debian-security", "debian-security"),
        ("http://security.debian.org/", "debian-security"),
        ("http://security.debian.org", "debian-security"),
        (f"http://{MIRROR}/debian-security/", "debian-security"),
        ("http://archive.debian.org/debian", "debian-archived"),
        ("http://archive.ubuntu.com/ubuntu/", "ubuntu"),
        ("http://security.ubuntu.com/ubuntu", "ubuntu"),
        ("http://xx.archive.ubuntu.com/ubuntu", "ubuntu"),
        ("http://eu-1.ec2.archive.ubuntu.com/ubuntu", "ubuntu"),
        ("http://ports.ubuntu.com/ubuntu-ports", "ubuntu-ports"),
        ("http://ports.ubuntu.com/", "ubuntu-ports"),
        ("http://mirror.example/ubuntu-ports", "ubuntu-ports"),
        ("http://old-releases.ubuntu.com/ubuntu", "ubuntu-old-releases"),
    ],
)
def test_known_archive_is_known_whatever_host_carries_it(url: str, name: str) -> None:
    preset = match(url)
    assert preset
    assert preset.name == name


@pytest.mark.parametrize(
    "url",
    [
        "http://ppa.example/ubuntu",  # many third parties call their own archive so
        "http://mirror.example/linux/debian",
        f"http://snapshot.debian.org/archive/debian/{20_250_520}T000000Z",  # old on purpose: another history
        f"http://evil.example/{MIRROR}/debian",
        f"http://{MIRROR}.evil.example/debian",
        "http://debian.org.evil.example/debian",
        "http://notdebian.org/debian",
        f"http://{MIRROR}:3142/debian",
        f"http://{MIRROR}/debian?x",
        f"http://{MIRROR}/debian#x",
        f"http://{MIRROR}/debian/../debian",
        f"ftp://{MIRROR}/debian",
        "cdrom:[Debian]/",
        "http://[::1/debian",
        "http://h:99999/debian",
        "",
    ],
)
def test_archive_of_another_is_not_taken_for_a_known_one(url: str) -> None:
    assert match(url) is None


@given(url=st.text() | st.from_regex(r"https?://[^/]*(/[a-z.%]*){0,3}"))
def test_any_text_is_matched_or_not(url: str) -> None:
    preset = match(url)
    assert preset is None or urlsplit(url).hostname


def test_operator_is_told_where_it_is_known() -> None:
    assert operator_of("http://security.ubuntu.com/ubuntu") == "canonical"
    assert operator_of("http://security.debian.org/debian-security") == "debian"
    assert operator_of("http://xx.archive.ubuntu.com/ubuntu") is None
    assert operator_of("http://mirror.example/") is None


def test_names_are_unique_and_every_fact_has_an_origin() -> None:
    presets = load()
    assert len({preset.name for preset in presets}) == len(presets)
    for preset in presets:
        assert preset.sources
        assert preset.urls
        assert preset.suites
        assert all(path.startswith("/usr/share/keyrings/") for path in preset.host_keyrings)


def test_links_to_suites_need_not_be_named_by_their_release() -> None:
    ubuntu = match("http://archive.ubuntu.com/ubuntu")
    assert ubuntu
    assert [ubuntu.strict_for(suite) for suite in ("noble-updates", "devel", "devel-security")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("name", sorted({preset.keyring for preset in load()}))
def test_keys_are_those_that_the_readme_names(name: str) -> None:
    data = (files("tidegate.presets") / "keys" / name).read_bytes()
    section = README.split(f"## {name}\n")[1].split("\n## ")[0]
    assert f"`{sha256(data).hexdigest()}`" in section
    ring = load_keyring(data, name)
    assert isinstance(ring, Keyring)
    assert ring.problems == ()
    assert re.findall(r"^\| `([0-9A-F]{40})` \|", section, re.MULTILINE) == list(ring.fingerprints)


@pytest.mark.parametrize("name", sorted({preset.keyring for preset in load()}))
def test_gpg_sees_the_same_keys(name: str, tmp_path: Path) -> None:
    data = (files("tidegate.presets") / "keys" / name).read_bytes()
    listing = subprocess.run(
        ["gpg", "--homedir", str(tmp_path), "--with-colons", "--show-keys"],
        input=data, capture_output=True, check=True, timeout=30,
    ).stdout.decode()  # fmt: skip
    primaries = re.findall(r"^pub:.*\n(?:rvk:.*\n)*fpr:+([0-9A-F]{40}):", listing, re.MULTILINE)
    ring = load_keyring(data, name)
    assert isinstance(ring, Keyring)
    assert primaries == list(ring.fingerprints)


def test_every_preset_has_a_key_that_may_sign() -> None:
    for preset in load():
        ring = load_keyring(preset.keyring_data(), preset.keyring)
        assert isinstance(ring, Keyring)
        assert any(key.may_sign and not key.weak for one in ring.certificates for key in one.keys)


@pytest.mark.slow
def test_wheel_carries_the_data(tmp_path: Path) -> None:
    project = Path(__file__).parent.parent.parent
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=project, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    room = files("tidegate.presets")
    shipped = {f"tidegate/presets/{item.name}" for item in room.iterdir() if item.name.endswith(".toml")}
    shipped |= {f"tidegate/presets/keys/{item.name}" for item in (room / "keys").iterdir()}
    assert len(shipped) >= 5
    assert shipped <= names
