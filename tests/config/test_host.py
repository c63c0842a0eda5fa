"""The host's own apt sources, in roots fabricated after what distributions and vendors write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.keys import Keys
from tidegate.archive.sources_list import parse_sources_list
from tidegate.config import HostSources, archives_from_host, keyring_of
from tidegate.config.host_archives import HostFacts, archives_of
from tidegate.sources.settings import PRIORITY_LAST, ArchiveSettings

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
UBUNTU_KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"

# Debian 12's installer writes one line each, Debian 13's image deb822; a mirror of a test, not the default one.
BOOKWORM_LIST = """\
# deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64 NETINST]/ bookworm main
deb http://ftp.de.debian.org/debian/ bookworm main non-free-firmware
deb-src http://ftp.de.debian.org/debian/ bookworm main non-free-firmware

deb http://security.debian.org/debian-security bookworm-security main non-free-firmware
deb-src http://security.debian.org/debian-security bookworm-security main non-free-firmware
deb http://ftp.de.debian.org/debian/ bookworm-updates main non-free-firmware
"""
TRIXIE_SOURCES = f"""\
Types: deb
URIs: http://ftp.de.debian.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By: {DEBIAN_KEYRING}

Types: deb
URIs: http://ftp.de.debian.org/debian-security
Suites: trixie-security
Components: main
Signed-By: {DEBIAN_KEYRING}
"""
NOBLE_SOURCES = f"""\
# See http://help.ubuntu.example/community/UpgradeNotes for how to upgrade to newer versions.
Types: deb
URIs: http://de.archive.ubuntu.com/ubuntu/
Suites: noble noble-updates noble-backports
Components: main restricted universe multiverse
Signed-By: {UBUNTU_KEYRING}

## Ubuntu security updates. Aside from URIs and Suites,
Types: deb
URIs: http://security.ubuntu.com/ubuntu/
Suites: noble-security
Components: main restricted universe multiverse
Signed-By: {UBUNTU_KEYRING}
"""
NOBLE_LIST = "# Ubuntu sources have moved to /etc/apt/sources.list.d/ubuntu.sources\n"
NODE_LIST = (
    "deb [arch=amd64 signed-by=/usr/share/keyrings/nodesource.gpg] https://deb.node.example/node_20.x nodistro main\n"
)
DOCKER_LIST = (
    "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.example/linux/debian"
    " bookworm stable\n"
)
POSTGRES_SOURCES = """\
Types: deb
URIs: https://apt.postgres.example/pub/repos/apt
Suites: bookworm-pgdg
Components: main
Signed-By: /usr/share/postgresql-common/pgdg/apt.postgres.example.asc
"""


class Host:
    """A root that is filled as a test wants it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "etc/apt/sources.list.d").mkdir(parents=True)
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/arch").write_text("amd64\n")

    def put(self, path: str, content: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def part(self, name: str, content: str | bytes) -> Path:
        return self.put(f"etc/apt/sources.list.d/{name}", content)

    def read(self, apt_config: Path | None = None) -> HostSources:
        return archives_from_host(self.root, apt_config=apt_config)

    def archives(self) -> dict[str, ArchiveSettings]:
        return {archive.name: archive for archive in self.read().archives}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


def urls(archive: ArchiveSettings) -> list[str]:
    return [source.url for source in archive.source]


# What distributions write


def test_debian_12_with_one_line_sources_makes_two_archives_with_sources_and_the_presets_keys(host: Host) -> None:
    host.put("etc/apt/sources.list", BOOKWORM_LIST)
    found = host.read()
    assert found.notes == ()
    debian, security = found.archives
    assert (debian.name, security.name) == ("debian", "debian-security")
    assert debian.suites == ("bookworm", "bookworm-updates")
    assert debian.components == ("main", "non-free-firmware")
    assert (debian.deb_src, debian.architectures, debian.keyring) == (True, (), ())
    assert security.suites == ("bookworm-security",)
    assert debian.aliases == ("http://ftp.de.debian.org/debian/",)


def test_debian_13_with_deb822_sources_takes_the_keyring_that_signed_by_names(host: Host) -> None:
    host.part("debian.sources", TRIXIE_SOURCES)
    found = host.archives()
    assert found["debian"].suites == ("trixie", "trixie-updates")
    assert found["debian"].keyring == (f"{host.root}{DEBIAN_KEYRING}",)
    assert found["debian-security"].suites == ("trixie-security",)
    assert not found["debian"].deb_src


def test_ubuntu_24_04_is_one_archive_with_two_sources(host: Host) -> None:
    host.put("etc/apt/sources.list", NOBLE_LIST)
    host.part("ubuntu.sources", NOBLE_SOURCES)
    (ubuntu,) = host.read().archives
    assert ubuntu.name == "ubuntu"
    assert ubuntu.suites == ("noble", "noble-updates", "noble-backports", "noble-security")
    assert ubuntu.components == ("main", "restricted", "universe", "multiverse")
    assert urls(ubuntu) == ["http://de.archive.ubuntu.com/ubuntu/", "http://security.ubuntu.com/ubuntu/"]
    assert ubuntu.aliases == tuple(urls(ubuntu))


def test_third_parties_are_called_after_their_place_and_keep_their_own_keys(host: Host) -> None:
    host.part("nodesource.list", NODE_LIST)
    host.part("docker.list", DOCKER_LIST)
    host.part("pgdg.sources", POSTGRES_SOURCES)
    found = host.archives()
    assert list(found) == [
        "download.docker.example-linux-debian",
        "deb.node.example-node-20.x",
        "apt.postgres.example-pub-repos-apt",
    ]
    docker = found["download.docker.example-linux-debian"]
    assert docker.keyring == (f"{host.root}/etc/apt/keyrings/docker.asc",)
    assert docker.architectures == ("amd64",)
    assert docker.source[0].operator == "docker.example"
    assert docker.source[0].kind == "origin"


def test_a_container_without_any_sources_has_no_archives_and_says_nothing(tmp_path: Path) -> None:
    found = archives_from_host(tmp_path)
    assert (found.archives, found.notes) == ((), ())


# Which entries belong together


def test_several_addresses_of_an_entry_are_several_sources_of_one_archive(host: Host) -> None:
    host.part("x.sources", "Types: deb\nURIs: http://a.example/x http://b.example/x\nSuites: s\nComponents: main\n")
    (archive,) = host.read().archives
    assert [(each.url, each.kind) for each in archive.source] == [
        ("http://a.example/x", "origin"),
        ("http://b.example/x", "mirror"),
    ]


def test_http_and_https_and_a_closing_slash_are_one_place(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb http://a.example/x s1 main\ndeb https://A.example/x/ s2 main\n")
    (archive,) = host.read().archives
    assert archive.suites == ("s1", "s2")
    assert archive.aliases == ("http://a.example/x", "https://A.example/x/")


def test_a_place_that_two_entries_claim_in_turn_ends_up_in_one_archive(host: Host) -> None:
    text = "deb http://a.example/x s main\ndeb http://b.example/x s main\n"
    host.put("etc/apt/sources.list", text)
    host.part("c.sources", "Types: deb\nURIs: http://b.example/x http://a.example/x\nSuites: t\nComponents: main\n")
    found = host.read().archives
    aliases = [alias for archive in found for alias in archive.aliases]
    assert len(aliases) == len(set(aliases))


def test_two_places_that_spell_alike_get_two_names(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb http://a.example/x/y s main\ndeb http://a.example/x-y s main\n")
    assert list(host.archives()) == ["a.example-x-y", "a.example-x-y-2"]


def test_an_unknown_mirror_signed_by_debians_keyring_is_a_source_of_debian(host: Host) -> None:
    host.part("debian.sources", TRIXIE_SOURCES.replace("ftp.de.debian.org", "mirror.campus.example"))
    assert list(host.archives()) == ["debian", "debian-security"]


def test_a_folder_called_debian_does_not_make_an_archive_debians(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb http://packages.vendor.example/debian bookworm main\n")
    assert list(host.archives()) == ["packages.vendor.example-debian"]


def test_flat_repositories_keep_their_directory(host: Host) -> None:
    host.put(
        "etc/apt/sources.list", "deb http://a.example/f ./\ndeb http://b.example/f /\ndeb http://c.example/f x/y/\n"
    )
    assert [archive.suites for archive in host.read().archives] == [("./",), ("./",), ("x/y/",)]


def test_the_hosts_architecture_goes_in_where_an_entry_says_arch(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb http://a.example/$(ARCH) s/$(ARCH)/\n")
    (archive,) = host.read().archives
    assert (archive.aliases, archive.suites) == (("http://a.example/amd64",), ("s/amd64/",))


# Architectures


def test_a_host_with_foreign_architectures_wants_them_all(host: Host) -> None:
    host.put("var/lib/dpkg/arch", "amd64\ni386\n")
    host.put("etc/apt/sources.list", "deb http://a.example/x s main\ndeb [arch=amd64] http://b.example/x s main\n")
    assert [archive.architectures for archive in host.read().archives] == [("amd64", "i386"), ("amd64",)]


def test_an_entry_may_add_to_and_take_from_the_hosts_architectures(host: Host) -> None:
    host.put("var/lib/dpkg/arch", "amd64\ni386\n")
    host.put(
        "etc/apt/sources.list",
        "deb [arch-=i386] http://a.example/x s main\ndeb [arch+=arm64] http://b.example/x s main\n",
    )
    assert [archive.architectures for archive in host.read().archives] == [("amd64",), ("amd64", "i386", "arm64")]


def test_apts_own_word_on_architectures_counts(host: Host) -> None:
    host.put("etc/apt/apt.conf", 'APT::Architectures { "arm64"; };')
    host.put("etc/apt/sources.list", "deb http://a.example/$(ARCH) s main\n")
    assert host.read().archives[0].aliases == ("http://a.example/arm64",)


# Keys


def test_without_signed_by_and_preset_apts_trusted_keyrings_count(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb http://a.example/x s main\n")
    host.put("etc/apt/trusted.gpg", b"k")
    host.put("etc/apt/trusted.gpg.d/b.asc", b"k")
    host.put("etc/apt/trusted.gpg.d/a.gpg", b"k")
    host.put("etc/apt/trusted.gpg.d/empty.gpg", b"")
    host.put("etc/apt/trusted.gpg.d/a.gpg~", b"k")
    host.put("etc/apt/trusted.gpg.d/README", b"k")
    names = ("trusted.gpg", "trusted.gpg.d/a.gpg", "trusted.gpg.d/b.asc")
    assert host.read().archives[0].keyring == tuple(f"{host.root}/etc/apt/{name}" for name in names)


def test_trusted_keyrings_never_sign_for_an_archive_that_a_preset_knows(host: Host) -> None:
    host.put("etc/apt/sources.list", BOOKWORM_LIST)
    host.put("etc/apt/trusted.gpg.d/vendor.gpg", b"k")
    assert host.archives()["debian"].keyring == ()


def test_an_archive_without_any_key_is_noted(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb http://a.example/x s main\n")
    (note,) = host.read().notes
    assert "no key is known" in note


def test_a_key_in_place_is_kept_and_loads(host: Host, keys: Keys) -> None:
    armored = keys.home.armored(keys.good).decode()
    folded = "\n".join(f" {line or '.'}" for line in armored.strip().splitlines())
    host.part("x.sources", f"Types: deb\nURIs: http://a.example/x\nSuites: s\nComponents: main\nSigned-By:\n{folded}\n")
    (archive,) = host.read().archives
    assert keyring_of(archive).fingerprints == (keys.good.fingerprint,)


def test_a_fingerprint_restricts_the_trusted_keyrings_to_one_key(host: Host, keys: Keys) -> None:
    host.put("etc/apt/trusted.gpg.d/a.gpg", keys.keyring.read_bytes())
    by = {"a.example": keys.good.fingerprint, "b.example": "A" * 40}
    lines = (f"deb [signed-by={fingerprint}] http://{name}/x s main\n" for name, fingerprint in by.items())
    host.put("etc/apt/sources.list", "".join(lines))
    good, none = host.read().archives
    assert keyring_of(good).fingerprints == (keys.good.fingerprint,)
    assert keyring_of(none).fingerprints == ()


def test_an_entry_without_signed_by_does_not_widen_the_keys_of_the_others(host: Host) -> None:
    host.put("etc/apt/trusted.gpg", b"k")
    host.put(
        "etc/apt/sources.list", "deb [signed-by=/k.gpg] http://a.example/x s main\ndeb http://a.example/x t main\n"
    )
    found = host.read()
    assert found.archives[0].keyring == (f"{host.root}/k.gpg",)
    assert "no Signed-By" in found.notes[0]


# What is left out, and said


@pytest.mark.parametrize(
    "uri",
    [
        "cdrom:[Debian]/",
        "file:/srv/x",
        "copy:/srv/x",
        "tor+http://a.example/x",
        "ftp://a.example/x",
        "mirror+file:/none",
    ],
)
def test_transports_that_need_no_gateway_are_noted(uri: str, host: Host) -> None:
    host.put("etc/apt/sources.list", f"deb {uri} s main\n")
    found = host.read()
    assert found.archives == ()
    assert "is left out" in found.notes[0]
    assert f"{host.root}/etc/apt/sources.list:1" in found.notes[0]


def test_an_address_with_a_password_is_noted_without_it(host: Host) -> None:
    host.put("etc/apt/sources.list", "deb https://user:secret@a.example/x s main\n")
    found = host.read()
    assert found.archives == ()
    assert "secret" not in "".join(found.notes)


def test_disabled_entries_are_passed_over(host: Host) -> None:
    host.part("x.sources", "Enabled: no\nTypes: deb\nURIs: http://a.example/x\nSuites: s\nComponents: main\n")
    found = host.read()
    assert (found.archives, found.notes) == ((), ())


def test_a_broken_entry_is_noted_and_the_others_are_kept(host: Host) -> None:
    host.put("etc/apt/sources.list", "dbe http://a.example/x s main\ndeb http://b.example/x s main\n")
    found = host.read()
    assert [archive.name for archive in found.archives] == ["b.example-x"]
    assert f"{host.root}/etc/apt/sources.list:1" in found.notes[0]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00deb", b"#" * 1_048_577])
def test_a_file_that_is_no_text_or_too_large_is_noted(data: bytes, host: Host) -> None:
    path = host.part("x.list", data)
    host.put("etc/apt/sources.list", "deb http://b.example/x s main\n")
    found = host.read()
    assert len(found.archives) == 1
    assert str(path) in found.notes[0]


def test_a_dangling_link_is_noted(host: Host) -> None:
    (host.root / "etc/apt/sources.list.d/x.list").symlink_to("/nowhere/x.list")
    assert "cannot be read" in host.read().notes[0]


def test_files_that_apt_passes_over_are_passed_over(host: Host) -> None:
    for name in ("x.list.disabled", "x.list~", "x.list.save", "x.sources.dpkg-old", ".x.list.swp", "x"):
        host.part(name, "deb http://a.example/x s main\n")
    found = host.read()
    assert (found.archives, found.notes) == ((), ())


def test_a_name_that_apt_does_not_take_is_noted(host: Host) -> None:
    host.part("my file.list", "deb http://a.example/x s main\n")
    found = host.read()
    assert found.archives == ()
    assert "my file.list" in found.notes[0]


def test_trusted_and_switched_off_dates_are_noted_and_have_no_effect(host: Host) -> None:
    host.put("etc/apt/trusted.gpg", b"k")
    host.put("etc/apt/sources.list", "deb [trusted=yes check-valid-until=no] http://a.example/x s main\n")
    trusted, dates = host.read().notes
    assert "wants a signature all the same" in trusted
    assert "Valid-Until" in dates


# Mirror lists and APT_CONFIG


def test_a_mirror_list_is_read_in_the_order_that_apt_prefers(host: Host) -> None:
    host.put(
        "etc/apt/mirrors.txt",
        "http://b.example/x\tpriority:2\nhttp://c.example/x\n# no\nhttp://a.example/x priority:1\n",
    )
    host.put("etc/apt/sources.list", "deb mirror+file:/etc/apt/mirrors.txt s main\n")
    (archive,) = host.read().archives
    assert urls(archive) == ["http://a.example/x", "http://b.example/x", "http://c.example/x"]
    assert {source.kind for source in archive.source} == {"mirror"}
    assert [source.priority for source in archive.source] == [1, 2, PRIORITY_LAST]


def test_a_folder_in_a_mirror_list_is_a_source_that_no_client_asks_by_its_address(host: Host) -> None:
    host.put("etc/apt/mirrors.txt", "file:/srv/x\nhttp://a.example/x\n")
    host.put("etc/apt/sources.list", "deb mirror+file:/etc/apt/mirrors.txt s main\n")
    (archive,) = host.read().archives
    assert [(each.url, each.kind, each.operator) for each in archive.source] == [
        ("file:///srv/x", "media", "this host"),
        ("http://a.example/x", "mirror", "a.example"),
    ]
    assert archive.aliases == ("http://a.example/x",)
    assert archive.name == "a.example-x"


def test_what_a_mirror_list_has_that_nobody_can_ask_is_noted(host: Host) -> None:
    host.put("etc/apt/mirrors.txt", "tor+http://b.example/x arch:amd64\nhttp://a.example/x\n")
    host.put("etc/apt/sources.list", "deb mirror+file:/etc/apt/mirrors.txt s main\n")
    found = host.read()
    assert urls(found.archives[0]) == ["http://a.example/x"]
    assert "tor+http: goes past the gateway" in found.notes[0]
    assert "arch:amd64 is passed over" in found.notes[1]


def test_an_entry_that_is_in_folders_only_is_noted(host: Host) -> None:
    host.put("etc/apt/mirrors.txt", "file:/srv/x\n")
    host.put("etc/apt/sources.list", "deb mirror+file:/etc/apt/mirrors.txt s main\n")
    found = host.read()
    assert found.archives == ()
    assert "folders only" in found.notes[0]


def test_a_third_partys_archive_is_known_and_its_keys_are_the_hosts(host: Host) -> None:
    line = "deb https://apt.postgresql.org/pub/repos/apt bookworm-pgdg main\n"
    host.put("etc/apt/sources.list", line)
    host.put("etc/apt/trusted.gpg.d/pgdg.asc", b"k")
    (archive,) = host.read().archives
    assert (archive.name, archive.keyring) == ("pgdg", (f"{host.root}/etc/apt/trusted.gpg.d/pgdg.asc",))


def test_apt_config_names_other_files(host: Host, tmp_path: Path) -> None:
    host.put("etc/apt/sources.list", "deb http://a.example/x s main\n")
    host.put("other/list", "deb http://b.example/x s main\n")
    conf = tmp_path / "apt.conf"
    conf.write_text('Dir::Etc::SourceList "/other/list"; Dir::Etc::SourceParts "-";')
    assert [archive.name for archive in host.read(conf).archives] == ["b.example-x"]


# Whatever there is

_OPTIONS = ("[arch=amd64]", "[signed-by=/k]", "[trusted=yes]")
_URIS = ("http://a.example/x", "https://b.example", "http://c.example/debian/", "mirror+file:/m", "cdrom:", "http://[")
_WORDS = st.sampled_from(
    ["deb", "deb-src", *_OPTIONS, *_URIS, "./", "/", "s", "x/", "main", "$(ARCH)", "#", "\n"],
)


@given(st.lists(_WORDS, max_size=40).map(" ".join))
def test_any_entries_make_archives_that_do_not_contradict_each_other(text: str) -> None:
    found = archives_of(parse_sources_list(text, "t").entries, HostFacts(architecture="amd64"))
    names = [archive.name for archive in found.archives]
    aliases = [alias for archive in found.archives for alias in archive.aliases]
    assert len(names) == len(set(names))
    assert len(aliases) == len(set(aliases))
    assert set(found.where) == set(names)
    assert all(archive.source for archive in found.archives)


def test_this_very_host_is_read_without_an_error() -> None:
    found = archives_from_host()
    assert all(archive.source for archive in found.archives)
