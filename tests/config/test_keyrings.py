"""The keys of an archive: what the settings pin, and nothing else."""

from pathlib import Path

import pytest

from tests.simulator.keys import Keys
from tidegate import presets
from tidegate.config import keyring_of
from tidegate.config.addresses import is_address, masked, operator_of
from tidegate.sources.settings import ArchiveSettings
from tidegate.trust.keyring import Keyring


def test_a_path_a_key_in_place_and_a_list_of_them_load(keys: Keys, tmp_path: Path) -> None:
    second = tmp_path / "second.gpg"
    second.write_bytes(keys.home.public(keys.second))
    in_place = keys.home.armored(keys.good).decode()
    assert keyring_of(ArchiveSettings(name="a", keyring=in_place)).fingerprints == (keys.good.fingerprint,)
    both = keyring_of(ArchiveSettings(name="a", keyring=(in_place, str(second))))
    assert set(both.fingerprints) == {keys.good.fingerprint, keys.second.fingerprint}


def test_a_fingerprint_restricts_the_keyrings_beside_it(keys: Keys) -> None:
    ring = keyring_of(ArchiveSettings(name="a", keyring=(str(keys.keyring), keys.second.fingerprint)))
    assert ring.fingerprints == (keys.second.fingerprint,)


def test_a_fingerprint_alone_trusts_nobody(keys: Keys) -> None:
    assert keyring_of(ArchiveSettings(name="a", keyring=(keys.good.fingerprint,))).fingerprints == ()


@pytest.mark.parametrize("content", [None, b"<html>", b"\x00" * 64])
def test_a_keyring_that_cannot_be_read_leaves_the_others_and_is_told(
    content: bytes | None, keys: Keys, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.gpg"
    if content is not None:
        bad.write_bytes(content)
    ring = keyring_of(ArchiveSettings(name="a", keyring=(str(bad), str(keys.keyring))))
    assert keys.good.fingerprint in ring.fingerprints
    assert [str(bad) in problem.evidence for problem in ring.problems] == [True]


def test_a_directory_in_a_keyrings_place_is_told(keys: Keys, tmp_path: Path) -> None:
    ring = keyring_of(ArchiveSettings(name="a", keyring=str(tmp_path)))
    assert (ring.certificates, len(ring.problems)) == ((), 1)


def test_a_third_party_whose_keys_do_not_ship_trusts_nobody_until_the_host_says_whom() -> None:
    assert keyring_of(ArchiveSettings(name="docker-debian")) == Keyring()


@pytest.mark.parametrize("preset", [each for each in presets.load() if each.keyring], ids=lambda preset: preset.name)
def test_a_preset_that_ships_keys_has_them_without_any_setting(preset: presets.Preset) -> None:
    ring = keyring_of(ArchiveSettings(name=preset.name))
    assert ring.certificates
    assert ring.problems == ()


def test_an_unknown_archive_without_a_keyring_trusts_nobody() -> None:
    assert keyring_of(ArchiveSettings(name="nobodys")).certificates == ()


def test_a_presets_keys_do_not_widen_what_the_settings_pin(keys: Keys) -> None:
    ring = keyring_of(ArchiveSettings(name="debian", keyring=str(keys.keyring)))
    assert set(ring.fingerprints) == {each.fingerprint for each in (keys.good, keys.second, keys.expired)}


# Addresses


@pytest.mark.parametrize(
    ("url", "operator"),
    [
        ("http://de.mirror.vendor.example/debian", "vendor.example"),
        ("http://vendor.example", "vendor.example"),
        ("http://mirror.ox.ac.uk/debian", "ox.ac.uk"),
        ("http://ac.uk/debian", "ac.uk"),
        ("http://localhost:8080/debian", "localhost"),
        ("http://10.1.2.3/debian", "10.1.2.3"),
        ("http://[2001:db8::1]/debian", "2001:db8::1"),
        ("http://security.debian.org/debian-security", "debian"),
        ("http://Mirror.Example./x", "mirror.example"),
    ],
)
def test_who_runs_a_host(url: str, operator: str) -> None:
    assert operator_of(url) == operator


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://a.example/x", True),
        ("https://a.example:8443", True),
        ("http://[::1]:80/x", True),
        ("ftp://a.example/x", False),
        ("http:///x", False),
        ("http://u@a.example/x", False),
        ("http://a.example/x?y", False),
        ("http://a.example/x#y", False),
        ("http://a.example:x/", False),
        ("http://[::1/x", False),
    ],
)
def test_which_addresses_can_be_fetched(url: str, good: bool) -> None:
    assert is_address(url) is good


def test_users_and_passwords_are_masked_wherever_they_stand() -> None:
    text = "from http://user:secret@a.example/x and https://token@b.example/x@y"
    assert masked(text) == "from http://…@a.example/x and https://…@b.example/x@y"
