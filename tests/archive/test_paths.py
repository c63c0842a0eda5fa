"""One path, one spelling; and every path of an archive is recognised by its shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, paths, refusal
from tidegate.archive.errors import BadPath
from tidegate.archive.paths import (
    DIGEST_HEX_CHARS,
    PATH_CHARS_MAX,
    ArchivePath,
    ByHash,
    IndexFile,
    PdiffPatch,
    PoolFile,
    ReleaseFile,
    canonical,
    classify,
    encoded,
    listed,
    suite_base,
)
from tidegate.archive.release import parse_release

SHA256 = "0123456789abcdef" * 4
SUITES = frozenset({"noble", "noble-updates", "bookworm", "bookworm/updates", "x/y/"})

# Names as they can be on disk, odd ones too; not those that hide structure.
odd_segments = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x3FF, exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in {".", ".."} and not set(name) & set("/\\%"))
odd_paths = st.lists(odd_segments, min_size=1, max_size=4).map("/".join)


@given(odd_paths)
def test_path_comes_back_from_its_url(path: str) -> None:
    assert canonical("/" + encoded(path)) == path
    assert canonical(encoded(path)) == path


@given(odd_paths.filter(lambda path: not path.startswith("./")))
def test_path_that_an_index_lists_is_what_a_request_for_it_names(path: str) -> None:
    assert listed(path) == listed("./" + path) == path == canonical("/./" + encoded(path))


@given(paths, st.data())
def test_every_spelling_of_a_path_is_one_path(path: str, data: st.DataObject) -> None:
    spelled = "".join(
        data.draw(st.sampled_from([c, f"%{ord(c):02x}", f"%{ord(c):02X}"])) if c not in "/." else c for c in path
    )
    assert canonical("/" + spelled) == path


@given(st.text(max_size=30) | st.text(alphabet="/.%2eEfF05c\\ab", max_size=14))
def test_any_text_gives_a_path_within_the_archive_or_bad_path(text: str) -> None:
    def read() -> None:
        path = canonical(text)
        assert not path.startswith("/")
        assert not set(path.split("/")) & {".", ".."}
        assert "//" not in path
        assert all(character.isprintable() or ord(character) > 0x9F for character in path)

    assert refusal(read).isprintable()


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/pool/main/libs/libstdc%2b%2b_1%7e2.deb", "pool/main/libs/libstdc++_1~2.deb"),
        ("/pool/main/libs/libstdc++_1~2.deb", "pool/main/libs/libstdc++_1~2.deb"),
        ("/./InRelease", "InRelease"),
        ("/repo/./x_1%253a1%7ea%2bb%20c_all.deb", "repo/x_1%3a1~a+b c_all.deb"),  # as apt 2.6 sends it
        ("/a%c3%a9", "aé"),
        ("/.disk/info", ".disk/info"),
        ("/pool/..a/a..", "pool/..a/a.."),
        ("/dists/", "dists/"),
        ("/", ""),
        ("", ""),
    ],
)
def test_request_is_made_canonical(target: str, path: str) -> None:
    assert canonical(target) == path


@pytest.mark.parametrize(
    "target",
    [
        *("/..", "/../etc/passwd", "/a/../b", "/a/..", "/a/.", "/.", "//a", "/a//b", "/a//"),
        *("/%2e%2e/a", "/a/%2e%2E", "/%2e/a", "/a%2eb", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a%00b", "/a\0b"),
        *("/a%0ab", "/a%0d%0ab", "/a%7fb", "/a\nb", "/a b", "/a%c2%85b", "/a%", "/a%2", "/a%zz", "/a%u0041"),
        *("/a%ff", "/a%c0%ae%c0%ae/b", "/a%ed%a0%80", "/é", "/a?b", "/a#b", "/a%252e%252e/b", "/a%252fb"),
        *("/" + "a" * 256, "/" + "é" * 200, "/" + "%41" * 256, "/" + "a/" * PATH_CHARS_MAX, "/" + "%" * 10**7),
    ],
)
def test_request_that_hides_structure_is_refused(target: str) -> None:
    with pytest.raises(BadPath):
        canonical(target)


def test_path_of_the_full_length_is_taken_and_one_character_more_is_not() -> None:
    path = "/".join(["a" * 127] * (PATH_CHARS_MAX // 128)) + "a"
    assert len(path) == PATH_CHARS_MAX
    assert canonical(path) == listed(path) == path
    for read in (canonical, listed):
        with pytest.raises(BadPath):
            read(path + "a")


def test_path_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadPath, match="UTF-8"):
        listed("a\udc80b")


def test_refused_path_names_its_place() -> None:
    with pytest.raises(BadPath) as refused:
        listed("../a", "stanza of 'a'")
    assert refused.value.where == "stanza of 'a'"


@pytest.mark.parametrize(
    ("suite", "base"),
    [
        ("noble-updates", "dists/noble-updates/"),
        ("bookworm/updates", "dists/bookworm/updates/"),
        ("./", ""),
        ("/", ""),
        ("x/y/", "x/y/"),
        ("./x/y/", "x/y/"),
    ],
)
def test_suite_has_its_directory(suite: str, base: str) -> None:
    assert suite_base(suite) == base


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("dists/noble/InRelease", ReleaseFile("noble", "InRelease")),
        ("dists/noble/Release", ReleaseFile("noble", "Release")),
        ("dists/noble/Release.gpg", ReleaseFile("noble", "Release.gpg")),
        ("dists/unknown/InRelease", ReleaseFile("unknown", "InRelease")),
        ("dists/unknown/a/b/Release", ReleaseFile("unknown/a/b", "Release")),
        ("dists/bookworm/updates/InRelease", ReleaseFile("bookworm/updates", "InRelease")),
        ("dists/noble/updates/InRelease", ReleaseFile("noble/updates", "InRelease")),
        ("dists/noble/updates/Release", ReleaseFile("noble/updates", "Release")),
        ("dists/noble/main/binary-amd64/Release", IndexFile("noble", "main/binary-amd64/Release")),
        ("dists/noble/main/source/Release", IndexFile("noble", "main/source/Release")),
        ("dists/unknown/main/source/Release", PoolFile("dists/unknown/main/source/Release")),
        ("x/y/InRelease", ReleaseFile("x/y/", "InRelease")),
        ("z/InRelease", ReleaseFile("z/", "InRelease")),
        ("InRelease", ReleaseFile("./", "InRelease")),
        ("dists/noble/main/binary-amd64/Packages.xz", IndexFile("noble", "main/binary-amd64/Packages.xz")),
        ("dists/noble/Contents-amd64.gz", IndexFile("noble", "Contents-amd64.gz")),
        ("dists/noble/main/i18n/Translation-en", IndexFile("noble", "main/i18n/Translation-en")),
        (
            "dists/noble/main/dep11/icons-48x48@2.tar.gz",
            IndexFile("noble", "main/dep11/icons-48x48@2.tar.gz"),
        ),
        ("dists/bookworm/updates/main/source/Sources", IndexFile("bookworm/updates", "main/source/Sources")),
        ("dists/unknown/main/binary-amd64/Packages", PoolFile("dists/unknown/main/binary-amd64/Packages")),
        (
            "dists/noble/main/binary-amd64/Packages.diff/Index",
            IndexFile("noble", "main/binary-amd64/Packages.diff/Index"),
        ),
        (
            "dists/noble/main/binary-amd64/Packages.diff/T-2026-F-2025.gz",
            PdiffPatch("noble", "main/binary-amd64/Packages.diff", "T-2026-F-2025.gz"),
        ),
        ("dists/noble/pool/stable/amd64/tool_1.deb", PoolFile("dists/noble/pool/stable/amd64/tool_1.deb")),
        ("dists/noble/pool/tool_1.tar.xz", PoolFile("dists/noble/pool/tool_1.tar.xz")),
        ("pool/main/b/bash/bash_5.2_amd64.deb", PoolFile("pool/main/b/bash/bash_5.2_amd64.deb")),
        ("x/y/Packages.gz", IndexFile("x/y/", "Packages.gz")),
        ("x/y/en.xz", IndexFile("x/y/", "en.xz")),
        ("x/y/pt_BR", IndexFile("x/y/", "pt_BR")),
        ("x/y/Packages.diff/Index", IndexFile("x/y/", "Packages.diff/Index")),
        ("x/y/tool_1.deb", PoolFile("x/y/tool_1.deb")),
        ("x/y/readme.html", PoolFile("x/y/readme.html")),
        ("x/Packages.gz", PoolFile("x/Packages.gz")),
        ("dists", PoolFile("dists")),
        ("dists/noble", PoolFile("dists/noble")),
        ("", PoolFile("")),
        ("dists/noble/", PoolFile("dists/noble/")),
    ],
)
def test_path_is_recognised(path: str, kind: ArchivePath) -> None:
    assert classify(path, SUITES) == kind


@pytest.mark.parametrize("root", ["./", "/"])
def test_flat_archive_at_the_root_is_recognised(root: str) -> None:
    assert classify("InRelease", {root}) == ReleaseFile(root, "InRelease")
    assert classify("Packages.xz", {root}) == IndexFile(root, "Packages.xz")
    assert classify("tool_1.deb", {root}) == PoolFile("tool_1.deb")
    assert classify(f"by-hash/SHA256/{SHA256}", {root}) == ByHash(root, "", "SHA256", SHA256)
    assert classify("dists/noble/main/Packages", {root, "noble"}) == IndexFile("noble", "main/Packages")


def test_flat_suite_that_is_written_with_a_dot_is_recognised() -> None:
    assert classify("x/Packages", {"./x/"}) == IndexFile("./x/", "Packages")
    assert classify("x/InRelease", {"./x/"}) == ReleaseFile("./x/", "InRelease")


@pytest.mark.parametrize(
    ("path", "suite", "directory"),
    [
        ("dists/noble/main/binary-amd64/", "noble", "main/binary-amd64"),
        ("dists/noble/", "noble", ""),
        ("dists/bookworm/updates/main/", "bookworm/updates", "main"),
        ("dists/unknown/main/", None, "dists/unknown/main"),
        ("x/y/", "x/y/", ""),
        ("", None, ""),
    ],
)
@pytest.mark.parametrize("algorithm", sorted(DIGEST_HEX_CHARS))
def test_by_hash_is_recognised_at_any_depth(path: str, suite: str | None, directory: str, algorithm: str) -> None:
    digest = ("0123456789abcdef" * 8)[: DIGEST_HEX_CHARS[algorithm]]
    found = classify(f"{path}by-hash/{algorithm}/{digest}", SUITES)
    assert found == ByHash(suite, directory, algorithm, digest)


@pytest.mark.parametrize(
    "name",
    [
        *(f"SHA256/{SHA256[:-1]}", f"SHA256/{SHA256}0", f"SHA256/{SHA256.upper()}", f"SHA512/{SHA256}"),
        *(f"SHA256/{'g' * 64}", "MD5Sum/InRelease.gz", f"SHA256/{'٣' * 64}"),
    ],
)
def test_by_hash_whose_digest_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(BadPath):
        classify(f"dists/noble/main/by-hash/{name}", SUITES)


def test_by_hash_of_an_unknown_algorithm_is_a_file_like_any_other() -> None:
    path = f"dists/noble/main/by-hash/CRC32/{'0' * 8}"
    assert classify(path, SUITES) == IndexFile("noble", f"main/by-hash/CRC32/{'0' * 8}")


def test_every_index_that_debian_lists_is_an_index_of_its_suite() -> None:
    release = parse_release((DATA / "archive/bookworm.Release").read_bytes())
    for path in release.entries:
        assert classify(f"dists/bookworm/{path}", SUITES) == IndexFile("bookworm", path)


def full_path(kind: ArchivePath) -> str:
    match kind:
        case ReleaseFile(suite, name):
            return suite_base(suite) + name
        case IndexFile(suite, path):
            return suite_base(suite) + path
        case PdiffPatch(suite, directory, name):
            return f"{suite_base(suite)}{directory}/{name}"
        case ByHash(suite, directory, algorithm, digest):
            base = suite_base(suite) if suite is not None else ""
            return f"{base}{directory}{'/' if directory else ''}by-hash/{algorithm}/{digest}"
        case PoolFile(path):
            return path


names = st.sampled_from(
    ["InRelease", "Release", "Packages.gz", "a_1.deb", "a.diff", "by-hash", "SHA256", SHA256, "dists", "source", "x"]
)


@given(st.lists(names, min_size=1, max_size=6), st.sets(st.sampled_from(["x", "x/x", "./", "x/", "dists/", "source/"])))
def test_nothing_of_a_path_is_lost_in_what_it_is_recognised_as(segments: list[str], suites: set[str]) -> None:
    path = "/".join(segments)
    try:
        kind = classify(path, suites)
    except BadPath:
        assert "by-hash/SHA256/" in path
        return
    assert full_path(kind) == path


def test_plus_is_encoded_since_object_stores_take_it_for_a_space() -> None:
    assert encoded("pool/a+b~1:2 c%.deb") == "pool/a%2Bb~1:2%20c%25.deb"
