"""Presets are facts: complete, with their origin, and their keys are those that the README names."""

import re
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.presets import KnownSource, Preset, load, match, named, operator_of
from tidegate.sources.archive import Reach, source_of
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


@pytest.mark.parametrize(
    ("url", "operator"),
    [
        ("http://archive.ubuntu.com/ubuntu", "canonical"),
        ("http://security.ubuntu.com/ubuntu", "canonical"),
        ("http://us.archive.ubuntu.com/ubuntu/", "canonical"),
        ("http://eu-1.ec2.archive.ubuntu.com/ubuntu", "canonical"),
        ("http://ports.ubuntu.com/ubuntu-ports", "canonical"),
        ("http://xx.archive.ubuntu.com/ubuntu", "xx.archive.ubuntu.com"),
        ("http://security.debian.org/debian-security", "debian"),
        ("http://httpredir.debian.org/debian", "debian"),
        (f"http://{MIRROR}/debian", MIRROR),
        (f"http://{MIRROR}/debian-security", MIRROR),
        ("https://mirrors.wikimedia.org/debian/", "wikimedia"),
        ("http://mirrors.wikimedia.org/something-else", "wikimedia"),
        ("http://mirror.example/ubuntu-ports", None),
        ("http://mirror.example/", None),
    ],
)
def test_the_vendors_own_hosts_are_one_operator_and_a_country_mirror_is_another(url: str, operator: str | None) -> None:
    assert operator_of(url) == operator


ARCHIVES_WITH_MIRRORS = ("ubuntu", "ubuntu-ports", "debian", "debian-security", "linuxmint", "raspberrypi", "raspbian")
SOURCES = [(preset, source) for preset in load() for source in preset.known_sources]


@pytest.mark.parametrize("name", [*ARCHIVES_WITH_MIRRORS, "docker-debian", "docker-ubuntu", "pgdg"])
def test_five_sources_of_three_operators_are_known(name: str) -> None:
    preset = named(name)
    assert preset
    assert len(preset.known_sources) >= 5
    assert len({source.operator for source in preset.known_sources}) >= 3


@pytest.mark.parametrize("name", ["pop-os-release", "zorin-stable", "nodesource-22", "docker-raspbian"])
def test_archives_that_few_carry_are_known_by_their_address_all_the_same(name: str) -> None:
    preset = named(name)
    assert preset
    assert {match(source.url) for source in preset.known_sources} == {preset}


@pytest.mark.parametrize(("preset", "source"), SOURCES, ids=[f"{p.name}:{s.url}" for p, s in SOURCES])
def test_a_known_source_says_what_it_is_and_who_says_so(preset: Preset, source: KnownSource) -> None:
    made = source_of(source.url, reach=Reach.PUBLIC, operator=source.operator, kind=source.kind)
    assert made.url == source.url
    assert made.endpoint.scheme in {"http", "https"}
    assert made.endpoint.port in {80, 443}
    assert "not fetched from here" in source.listed_in
    assert re.fullmatch(r"[a-z]{2}|", source.region)
    assert re.fullmatch(r"[a-z0-9.-]+", source.operator)
    assert match(source.url) == preset
    assert operator_of(source.url) == source.operator


def test_no_source_is_known_twice_and_no_place_belongs_to_two_archives() -> None:
    urls = [source.url for _, source in SOURCES]
    assert len(set(urls)) == len(urls) > 80
    owners: dict[tuple[str, str], set[str]] = {}
    for preset, source in SOURCES:
        owners.setdefault(source.place, set()).add(preset.name)
    assert [place for place, names in owners.items() if len(names) > 1] == []


def test_no_host_has_two_operators() -> None:
    operators: dict[str, set[str]] = {}
    for _, source in SOURCES:
        operators.setdefault(source.place[0], set()).add(source.operator)
    assert [host for host, names in operators.items() if len(names) > 1] == []


def test_facts_were_checked_on_a_day_that_was() -> None:
    assert all(date(2026, 1, 1) <= preset.checked <= datetime.now(UTC).date() for preset in load())


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


@pytest.mark.parametrize("name", sorted({preset.keyring for preset in load()} - {""}))
def test_keys_are_those_that_the_readme_names(name: str) -> None:
    data = (files("tidegate.presets") / "keys" / name).read_bytes()
    section = README.split(f"## {name}\n")[1].split("\n## ")[0]
    assert f"`{sha256(data).hexdigest()}`" in section
    ring = load_keyring(data, name)
    assert isinstance(ring, Keyring)
    assert ring.problems == ()
    assert re.findall(r"^\| `([0-9A-F]{40})` \|", section, re.MULTILINE) == list(ring.fingerprints)


@pytest.mark.parametrize("name", sorted({preset.keyring for preset in load()} - {""}))
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


def test_every_preset_has_a_key_that_may_sign_or_leaves_it_to_the_host() -> None:
    without = {preset.name for preset in load() if not preset.keyring}
    assert without.isdisjoint({"debian", "debian-security", "ubuntu", "ubuntu-ports"})
    for preset in load():
        if preset.name in without:
            assert preset.keyring_data() == b""
            continue
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
