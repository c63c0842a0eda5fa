"""Records come out of directories, archives and lines as they went in; what is torn or hostile is refused."""

import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.advisories.samples import compressed, records, tar
from tidegate.advisories import containers
from tidegate.advisories import tar as tar_format
from tidegate.advisories.statement import Piece, Problem
from tidegate.archive.errors import FormatError

PIECES = (
    Piece("osv/cve/2026/CVE-2026-0001.json", b'{"id": 1}'),
    Piece("osv/usn/" + "long/" * 60 + "USN-1-1.json", b"x" * 1000),
    Piece("osv/cve/2026/ünïcode.json", b""),
)
AS_TUPLES = [(one.name, one.data) for one in PIECES]
NAMES = st.text(alphabet="ab/é.-", min_size=1, max_size=200).filter(lambda name: name.strip("/") == name)


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("ending", ["", ".xz", ".zst"])
def test_a_tar_archive_gives_its_files(tmp_path: Path, kind: int, ending: str) -> None:
    path = tmp_path / f"all.tar{ending}"
    path.write_bytes(compressed(tar(PIECES, kind=kind), ending))
    assert records(containers.records(path)) == AS_TUPLES
    assert records(containers.records(path, wanted=re.compile("usn/"))) == AS_TUPLES[1:2]


def test_a_zip_archive_a_directory_and_lines_give_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for one in PIECES[:1]:
            archive.writestr(one.name, one.data)
    assert records(containers.records(tmp_path / "all.zip")) == AS_TUPLES[:1]
    folder = tmp_path / "folder"
    for one in PIECES:
        (folder / one.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / one.name).write_bytes(one.data)
    (folder / "link.json").symlink_to("/etc/hostname")
    assert sorted(records(containers.records(folder))) == sorted(AS_TUPLES)
    (tmp_path / "all.jsonl.zst").write_bytes(compressed(b'{"a": 1}\n\n{"b": 2}', ".zst"))
    assert records(containers.records(tmp_path / "all.jsonl.zst")) == [("line 1", b'{"a": 1}'), ("line 3", b'{"b": 2}')]
    (tmp_path / "CVE-2026-0001.json.xz").write_bytes(compressed(b"{}", ".xz"))
    assert records(containers.records(tmp_path / "CVE-2026-0001.json.xz")) == [("CVE-2026-0001.json", b"{}")]


def test_a_record_that_is_too_large_is_a_problem_and_the_others_come(tmp_path: Path) -> None:
    large, small = Piece("CVE-2026-0001.json", b"x" * 10_000), Piece("CVE-2026-0002.json", b"{}")
    (tmp_path / "all.tar.xz").write_bytes(compressed(tar([large, small]), ".xz"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for one in (large, small):
            archive.writestr(one.name, one.data)
    (tmp_path / "all.jsonl").write_bytes(large.data + b"\n" + small.data + b"\n")
    (tmp_path / "folder").mkdir()
    for one in (large, small):
        (tmp_path / "folder" / one.name).write_bytes(one.data)
    for name in ("all.tar.xz", "all.zip", "all.jsonl", "folder"):
        problem, piece = containers.records(tmp_path / name, record_max=5000)
        assert isinstance(problem, Problem)
        assert problem.what == "more than 5000 bytes"
        assert isinstance(piece, Piece)
        assert piece.data == b"{}"


@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=1500)), max_size=4), st.sampled_from([0, 1, 2]), st.integers(1, 999)
)
@settings(max_examples=30)
def test_a_tar_archive_is_read_as_it_was_written_however_it_is_cut(
    files: list[tuple[str, bytes]], kind: int, size: int
) -> None:
    if kind == tarfile.USTAR_FORMAT:
        files = [(name[:80].strip("/") or "a", data) for name, data in files if name.isascii()]
    made = tar((Piece(name, data) for name, data in files), kind=kind)
    chunks = (made[at : at + size] for at in range(0, len(made), size))
    assert records(tar_format.members(chunks, record_max=2000, wanted=containers.ANY)) == files


@given(st.integers(0, 4096), st.integers(0, 255))
@settings(max_examples=60)
def test_a_damaged_tar_archive_is_read_or_refused(at: int, value: int) -> None:
    made = bytearray(tar(PIECES[:2]))
    made[at % len(made)] = value
    try:
        found = list(tar_format.members([bytes(made)], record_max=2000, wanted=containers.ANY))
    except FormatError:
        return
    assert len(found) <= 2


def test_a_torn_archive_is_refused_and_never_read_as_a_smaller_one(tmp_path: Path) -> None:
    whole = tar(PIECES)
    for at in (0, 100, 600, 1024, len(whole) - 10_240 + 700):
        path = tmp_path / "all.tar"
        path.write_bytes(whole[:at])
        with pytest.raises(FormatError):
            list(containers.records(path))
    packed = compressed(whole, ".xz")
    (tmp_path / "all.tar.xz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FormatError, match="truncated"):
        list(containers.records(tmp_path / "all.tar.xz"))
    (tmp_path / "all.zip").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(FormatError, match="cannot be read"):
        list(containers.records(tmp_path / "all.zip"))


def test_a_header_may_not_claim_any_size(tmp_path: Path) -> None:
    header = tarfile.TarInfo("@LongLink")
    header.size = 2**40
    header.type = tarfile.GNUTYPE_LONGNAME
    data = header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    with pytest.raises(FormatError, match="a header of more than 1048576 bytes"):
        list(tar_format.members([data], record_max=2000, wanted=containers.ANY))


def test_a_pax_header_may_give_the_size_and_has_to_be_one() -> None:
    def with_header(content: bytes) -> bytes:
        header, member = tarfile.TarInfo("pax"), tarfile.TarInfo("CVE-2026-0001.json")
        header.type, header.size, member.size = tarfile.XHDTYPE, len(content), 5
        return header.tobuf() + content + bytes(-len(content) % 512) + member.tobuf() + b"12345" + bytes(507 + 1024)

    def read(content: bytes) -> list[tuple[str, bytes]]:
        return records(tar_format.members([with_header(content)], record_max=2000, wanted=containers.ANY))

    assert read(b"9 size=3\n") == [("CVE-2026-0001.json", b"123")]
    assert read(b"12 path=a/b\n") == [("a/b", b"12345")]
    for content in (b"size=3\n", b"99 size=3\n", b"9 size=3x", b"12 size=many\n", b"11 size=-3\n"):
        with pytest.raises(FormatError, match="pax header"):
            read(content)


def test_a_member_of_an_unknown_kind_and_a_number_that_is_none_are_refused() -> None:
    unknown, odd = tarfile.TarInfo("a"), bytearray(tarfile.TarInfo("a").tobuf())
    unknown.type = b"S"
    odd[124:135] = b"12x45678901"
    odd[148:156] = b"%06o\0 " % (sum(odd) - sum(odd[148:156]) + 8 * 0x20)
    for data, complaint in ((unknown.tobuf(), "unknown kind"), (bytes(odd), "no number in a tar header")):
        with pytest.raises(FormatError, match=complaint):
            list(tar_format.members([data + bytes(1024)], record_max=2000, wanted=containers.ANY))


def test_links_and_devices_of_an_archive_are_passed_over() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)):
            member = tarfile.TarInfo(f"CVE-2026-000{number}.json")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert records(tar_format.members([made.getvalue()], record_max=2000, wanted=containers.ANY)) == []
