"""What a host has is one value from every form, is refused where it is not whole, and has a digest."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import AptFactory
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tidegate.archive.errors import FormatError
from tidegate.fleet import cyclonedx, dpkg_status, osquery, report
from tidegate.fleet.inventory import Form, Host, Inventory, Module, Package, Suite

DATA = Path(__file__).parent.parent / "data" / "fleet"
NOON = 1_777_636_800
HOST = Host("web-1", "web-1.example", "ubuntu", "noble", kernel="6.8.0-110-generic")
REPORT = """\
tidegate-inventory\t1
host\t34e37c21e9a2c7bc7004eea83072665d\tweb-1.example
os\tubuntu\t24.04\tnoble
kernel\t6.8.0-110-generic
boot\t49ac3890-98b6-426b-a2e9-88fbc1430065
suite\tUbuntu\tnoble-security
suite\tUbuntuESMApps\tnoble-apps-security
suite\t\tnoble-infra-security
suites\tyes
module\talgif_aead\tno\tno\tyes\t?
package\tkmod\t31+20240202-2ubuntu7.1\tamd64\tkmod\t31+20240202-2ubuntu7.1\thi \t
package\tlibkmod2:amd64\t31+20240202-2ubuntu7.1\tamd64\tkmod\t31+20240202-2ubuntu7.1\tii \t
package\tlinux-image-6.8.0-110-generic\t6.8.0-110.110\tamd64\tlinux-signed\t6.8.0-110.110\tii \t
package\tlinux-image-6.8.0-100-generic\t6.8.0-100.100\tamd64\tlinux-signed\t6.8.0-100.100\trc \t
package\tunknown\t\t\tunknown\t\tun \t
end
"""
TRIVY: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "metadata": {"component": {"type": "container", "name": "registry.example/web:1"}},
    "components": [
        {"type": "operating-system", "name": "ubuntu", "version": "24.04"},
        {"type": "library", "name": "requests", "version": "2.0", "purl": "pkg:generic/requests@2.0"},
        {
            "type": "library",
            "name": "login",
            "version": "1:4.13+dfsg1-4ubuntu3",
            "purl": "pkg:deb/ubuntu/login@4.13%2Bdfsg1-4ubuntu3?arch=amd64&distro=ubuntu-24.04&epoch=1",
            "properties": [
                {"name": "aquasecurity:trivy:SrcEpoch", "value": "1"},
                {"name": "aquasecurity:trivy:SrcName", "value": "shadow"},
                {"name": "aquasecurity:trivy:SrcRelease", "value": "4ubuntu3"},
                {"name": "aquasecurity:trivy:SrcVersion", "value": "4.13+dfsg1"},
            ],
        },
    ],
}
SYFT: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "components": [
        {"type": "operating-system", "name": "debian", "version": "12"},
        {
            "type": "library",
            "name": "login",
            "version": "1:4.13+dfsg1-1+b1",
            "purl": "pkg:deb/debian/login@1%3A4.13%2Bdfsg1-1%2Bb1?arch=amd64&distro=debian-12&upstream=shadow",
            "properties": [
                {"name": "syft:metadata:source", "value": "shadow"},
                {"name": "syft:metadata:sourceVersion", "value": "1:4.13+dfsg1-1"},
            ],
        },
        {
            "type": "library",
            "name": "bash",
            "version": "5.2.15-2",
            "purl": "pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12",
            "properties": [{"name": "syft:metadata:installedSize", "value": "7164"}],
        },
    ],
}
OSQUERY: dict[str, Any] = {
    "deb_packages": [
        {
            "name": "login",
            "version": "1:4.13+dfsg1-4ubuntu3",
            "source": "shadow",
            "arch": "amd64",
            "revision": "4ubuntu3",
            "status": "hold ok installed",
        },
        {"name": "old", "version": "1", "source": "", "arch": "all", "status": "deinstall ok config-files"},
    ],
    "os_version": [{"name": "Ubuntu", "platform": "ubuntu", "version": "24.04.1 LTS (Noble)", "codename": "noble"}],
    "kernel_info": [{"version": "6.8.0-110-generic", "arguments": ""}],
    "system_info": [{"uuid": "4C4C4544-0042", "hostname": "web-1.example"}],
}


def read_report(data: bytes) -> Inventory:
    return report.parse(data, taken_at=NOON)


READERS: dict[str, tuple[Callable[[bytes], Inventory], bytes]] = {
    "report": (read_report, REPORT.encode()),
    "dpkg-status": (
        lambda data: dpkg_status.parse(data, HOST, taken_at=NOON),
        (DATA / "postgresql.status").read_bytes(),
    ),
    "trivy": (lambda data: cyclonedx.parse(data, taken_at=NOON, host="web-1"), json.dumps(TRIVY).encode()),
    "syft": (lambda data: cyclonedx.parse(data, taken_at=NOON, host="web-1"), json.dumps(SYFT).encode()),
    "osquery": (lambda data: osquery.parse(data, taken_at=NOON), json.dumps(OSQUERY).encode()),
}


def test_a_report_tells_packages_holds_pockets_modules_and_what_runs() -> None:
    found = read_report(REPORT.encode())
    assert (found.form, found.taken_at, found.unreadable) == (Form.REPORT, NOON, ())
    assert (found.host.release, found.host.kernel) == ("noble", "6.8.0-110-generic")
    assert found.host.pockets == frozenset({"esm-apps", "esm-infra"})
    assert found.modules == (Module("algif_aead", loaded=False, built_in=False, loadable=True, blocked=None),)
    assert [(one.binary, one.source, one.held) for one in found.packages] == [
        ("kmod", "kmod", True),
        ("libkmod2", "kmod", False),
        ("linux-image-6.8.0-110-generic", "linux-signed", False),
    ]


def test_where_apt_could_not_be_asked_the_pockets_are_unknown_and_not_none() -> None:
    text = REPORT.replace("suites\tyes", "suites\tno")
    assert read_report(text.encode()).host.pockets is None


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("end\n", "", "cut off"),
        ("tidegate-inventory\t1", "tidegate-inventory\t2", "version '2'"),
        ("tidegate-inventory\t1", "hello\t1", "no report"),
        ("kernel\t6.8.0-110-generic\n", "", "no line for kernel"),
        ("kernel\t", "kernel\t6.8.0-1-generic\nkernel\t", "a second time"),
        ("suites\tyes", "surprise\tyes", "unknown kind"),
        ("\tno\tno\tyes\t?", "\tno\tno\tperhaps\t?", "no module"),
        ("34e37c21e9a2c7bc7004eea83072665d", "e3b0c44298fc1c149afbf4c8996fb924", "machine-id"),
        ("\tii \t\n", "\tii \t\tmore\n", "fields instead of"),
        ("\thi \t", "\tok \t", "no status"),
    ],
)
def test_a_report_that_is_not_whole_or_not_ours_is_refused_with_its_place(before: str, after: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        read_report(REPORT.replace(before, after).encode())


def test_a_package_that_cannot_be_read_is_told_of_and_spoils_no_other() -> None:
    found = read_report(REPORT.replace("31+20240202-2ubuntu7.1\tamd64\tkmod", "v_1\tamd64\tkmod", 1).encode())
    assert [one.binary for one in found.packages] == ["libkmod2", "linux-image-6.8.0-110-generic"]
    assert found.unreadable == ("package 'kmod': upstream part of version 'v_1'",)


def test_an_unchanged_host_has_the_same_digest_and_a_changed_one_another() -> None:
    found = read_report(REPORT.encode())
    lines = REPORT.splitlines()
    shuffled = "\n".join([*lines[:11], *reversed(lines[11:-1]), "end"])
    later = report.parse(shuffled.encode(), taken_at=NOON + 3600)
    assert later.digest == found.digest
    changed = [
        replace(found, packages=found.packages[1:]),
        replace(found, host=replace(found.host, kernel="6.8.0-117-generic")),
        replace(found, host=replace(found.host, boot="another")),
        replace(found, host=replace(found.host, suites=None)),
        replace(found, host=replace(found.host, suites=frozenset({Suite("Ubuntu", "noble")}))),
        replace(found, modules=(replace(found.modules[0], loaded=True),)),
    ]
    assert len({found.digest, *(one.digest for one in changed)}) == 1 + len(changed)


def test_dpkgs_own_file_says_the_source_in_brackets_and_leaves_out_what_is_as_the_binarys() -> None:
    found = READERS["dpkg-status"][0](READERS["dpkg-status"][1])
    sources = {one.binary: (one.version, one.source, one.source_version) for one in found.packages}
    assert sources["postgresql-client"] == ("11+200+deb10u5", "postgresql-common", "200+deb10u5")
    assert sources["postgresql-client-11"] == ("11.22-0+deb10u2", "postgresql-11", "11.22-0+deb10u2")
    assert found.host.pockets is None


def test_what_trivy_and_syft_say_of_sources_is_understood() -> None:
    trivy, syft = (READERS[name][0](READERS[name][1]) for name in ("trivy", "syft"))
    assert (trivy.host.distribution, trivy.host.release) == ("ubuntu", "noble")
    assert trivy.packages == (Package("login", "amd64", "1:4.13+dfsg1-4ubuntu3", "shadow", "1:4.13+dfsg1-4ubuntu3"),)
    assert (syft.host.distribution, syft.host.release) == ("debian", "bookworm")
    assert syft.packages == (
        Package("bash", "amd64", "5.2.15-2", "bash", "5.2.15-2"),
        Package("login", "amd64", "1:4.13+dfsg1-1+b1", "shadow", "1:4.13+dfsg1-1"),
    )


def test_a_bill_of_materials_without_sources_is_refused_with_the_reason() -> None:
    bare = json.loads(json.dumps(TRIVY))
    bare["components"][2]["properties"] = []
    with pytest.raises(FormatError, match="component 'login': names no source package"):
        cyclonedx.parse(json.dumps(bare).encode(), taken_at=NOON, host="web-1")


def test_osquerys_rows_say_what_host_they_are_of_or_somebody_has_to() -> None:
    found = osquery.parse(json.dumps(OSQUERY).encode(), taken_at=NOON)
    assert (found.host.id, found.host.release, found.host.kernel) == ("4C4C4544-0042", "noble", "6.8.0-110-generic")
    version = "1:4.13+dfsg1-4ubuntu3"
    assert found.packages == (Package("login", "amd64", version, "shadow", version, held=True),)
    rows = json.dumps(OSQUERY["deb_packages"]).encode()
    assert osquery.parse(rows, taken_at=NOON, host=HOST).packages == found.packages
    with pytest.raises(FormatError, match="packages of no host"):
        osquery.parse(rows, taken_at=NOON)


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg here")
def test_the_line_of_shell_prints_what_is_read_twice_the_same() -> None:
    if not Path("/etc/machine-id").exists():
        pytest.skip("a container without a machine-id")
    first, second = (subprocess.run(["sh", "-c", report.command()], capture_output=True, check=True) for _ in "12")
    assert (first.stdout, first.stderr) == (second.stdout, b"")
    found = report.parse(first.stdout, taken_at=NOON, host="here")
    assert found.unreadable == ()
    assert found.host.kernel == os.uname().release
    assert "dpkg" in {one.binary for one in found.packages}
    assert "\n" not in report.command()


@dataclass
class Shell:
    """The line of shell on a host of our making: its modules, and its programs."""

    folder: Path

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def fetched(self, name: str, text: str) -> None:
        lists = self.folder / "lists"
        lists.mkdir(exist_ok=True)
        (lists / name).write_text(f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}")
        self.program("apt-config", f"echo \"d='{lists}/'\"")

    def modules(self, *, loaded: str = "", built_in: str = "", there: str = "") -> None:
        folder = self.folder / "modules" / os.uname().release
        folder.mkdir(parents=True)
        (folder / "modules.builtin").write_text(built_in)
        (folder / "modules.dep").write_text(there)
        (self.folder / "loaded").write_text(loaded)

    def run(self) -> Inventory:
        line = report.command().replace("/lib/modules", f"{self.folder}/modules")
        line = line.replace("/proc/modules", f"{self.folder}/loaded")
        env = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        ran = subprocess.run(["sh", "-c", line], capture_output=True, env=env, check=False)
        return report.parse(ran.stdout, taken_at=NOON, host="here")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.fetched("archive.example_ubuntu_dists_noble_InRelease", "Origin: Ubuntu\nSuite: noble\n")
    made.fetched("archive.example_old_dists_b_x_Release", "Label: Origin: no\nOrigin:  Debian Backports\nOrigin: two\n")
    made.fetched("archive.example_flat_._InRelease", "Label: flat\n")
    made.program(
        "apt-get",
        """cat <<'END'
noble|main|/nonexistent/archive.example_ubuntu_dists_noble_main_binary-amd64_Packages
noble|main|/nonexistent/archive.example_ubuntu_dists_noble_main_binary-all_Packages
noble|universe|/nonexistent/archive.example_ubuntu_dists_noble_universe_binary-amd64_Packages
b/x|updates/main|/nonexistent/archive.example_old_dists_b_x_updates_main_binary-amd64_Packages
./|$(COMPONENT)|/nonexistent/archive.example_flat_._Packages
never|main|/nonexistent/archive.example_ubuntu_dists_never_main_binary-amd64_Packages
END""",
    )
    made.program("dpkg-query", r"printf 'package\tbash\t5.2\tamd64\tbash\t5.2\tii \t\n'")
    return made


OTHERS = "kernel/crypto/algif_hash.ko:\nkernel/crypto/xalgif_aead.ko:\n"
AEAD = "kernel/crypto/algif_aead.ko"


@pytest.mark.parametrize(
    ("files", "rule", "expected"),
    [
        ({"there": f"{AEAD}.zst: kernel/crypto/af_alg.ko.zst\n"}, "", (False, False, True, False)),
        ({"there": f"{OTHERS}kernel/x.ko: {AEAD}\n"}, "", (False, False, False, False)),
        ({"there": f"{AEAD.replace('_', '-')}.xz:\n"}, "", (False, False, True, False)),
        ({"built_in": f"{AEAD}\n", "there": OTHERS}, "", (False, True, False, False)),
        ({"there": f"{AEAD}:\n", "loaded": "algif_aead 12288 0 - Live 0x0\n"}, "", (True, False, True, False)),
        ({"there": f"{AEAD}:\n"}, "install algif_aead /bin/false", (False, False, True, True)),
        ({"there": f"{AEAD}:\n"}, "blacklist algif_aead", (False, False, True, False)),
    ],
)
def test_the_line_of_shell_tells_loaded_built_in_loadable_and_blocked_apart(
    shell: Shell, files: dict[str, str], rule: str, expected: tuple[bool, ...]
) -> None:
    shell.modules(**files)
    shell.program("modprobe", f"echo 'alias x y'; echo '{rule}'")
    assert shell.run().modules == (Module("algif_aead", *expected),)


def test_programs_for_root_are_found_whatever_the_path_of_who_runs_the_line(tmp_path: Path) -> None:
    """Else a host would report one thing by its timer, and another by cron or over ssh."""
    Shell(tmp_path).program("modprobe", "echo 'install algif_aead /bin/false'")
    line = report.command()
    assert "PATH=$PATH:/usr/sbin:/sbin;" in line
    line = line.replace(":/usr/sbin:/sbin;", f":{tmp_path}/bin;")
    ran = subprocess.run(["sh", "-c", line], capture_output=True, env={"PATH": "/usr/bin:/bin"}, check=True)
    (module,) = report.parse(ran.stdout, taken_at=NOON, host="here").modules
    assert module.blocked is True


def test_the_suites_are_those_that_apt_itself_says_it_has(
    private_apt: AptFactory, source_server: SourceServer, archive: SimulatedArchive
) -> None:
    archive.add_package("more", suite="stable-security")
    archive.suite("stable-security", origin="UbuntuESM")
    archive.publish()
    line = f"deb [signed-by=@KEYRING@] {source_server.url}"
    apt = private_apt(f"{line} stable main\n{line} stable-security main\n{line} never main\n")
    apt.run("apt-get", "update")
    oracle = apt.run("apt-get", "indextargets", "--format", "$(ORIGIN)\t$(RELEASE)", "Created-By: Packages").check()
    said = {tuple(line.split("\t")) for line in oracle.stdout.splitlines()}
    told = apt.run("sh", "-c", report.command()).check().stdout
    suites = report.parse(told.encode(), taken_at=NOON, host="here").host.suites
    assert suites == frozenset(Suite(*one) for one in said)
    assert {one.name for one in suites or ()} == {"stable", "stable-security"}


def test_what_the_line_of_shell_cannot_find_out_is_not_made_up(shell: Shell) -> None:
    shell.program("modprobe", "exit 1")
    found = shell.run()
    assert found.modules == (Module("algif_aead", loaded=None),)
    assert found.host.suites == frozenset({Suite("Debian Backports", "b/x"), Suite("Ubuntu", "noble"), Suite("", "./")})
    shell.program("apt-get", "exit 100")
    assert shell.run().host.suites is None
    shell.program("dpkg-query", r"printf 'package\tbash\t5.2\tamd64\tbash\t5.2\tii \t\n'; exit 2")
    with pytest.raises(FormatError, match="cut off"):
        shell.run()


BITS = st.sampled_from(
    [b"", b"\0", b"\xff", b"\t", b"\n", b'"', b"\\ud800", b"{", b"]", b"null", b"-1", b",", b" (", b":", b"0", b"\n\n"]
)


@given(st.sampled_from(sorted(READERS)), st.data())
def test_whatever_a_host_sends_is_read_or_refused_with_a_reason(name: str, data: st.DataObject) -> None:
    read, sample = READERS[name]
    start = data.draw(st.integers(0, len(sample)))
    end = data.draw(st.integers(start, min(len(sample), start + 40)))
    broken = sample[:start] + data.draw(BITS) + sample[end:]
    try:
        found = read(broken)
    except FormatError as error:
        reason = str(error)
    else:
        check(found)
        return
    assert reason.isprintable()


def check(found: Inventory) -> None:
    assert found.packages
    assert all(one.source and one.version for one in found.packages)
    assert all(reason.isprintable() for reason in found.unreadable)
    assert len(found.digest) == 32
