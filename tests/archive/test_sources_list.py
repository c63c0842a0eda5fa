"""Sources are read as apt reads them, and a bad entry never costs a good one."""

import json
import subprocess
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import nearly
from tests.archive.test_versions import SYSTEM_PYTHON, has_python3_apt
from tidegate.archive.sources_list import Parsed, SourceEntry, parse_deb822_sources, parse_sources_list

APT_SOURCES = Path(__file__).with_name("apt_sources.py")
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEZQ0vAhYJKwYBBAHaRw8BAQdA
=abcd
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "4CB50190207B4758A3F73A796ED0E7B82643E131"

UBUNTU = """\
# Ubuntu sources have moved to this form.
Types: deb deb-src
URIs: http://archive.ubuntu.example/ubuntu/ http://mirror.example/ubuntu/
Suites: noble noble-updates
 noble-backports
# a comment amid the stanza
Components: main universe
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

# Only comments here.

Types: deb
URIs: http://security.ubuntu.example/ubuntu/
Suites: noble-security
Components: main
Enabled: no
"""


def line(text: str) -> SourceEntry:
    parsed = parse_sources_list(text, "sources.list")
    assert parsed.problems == ()
    (entry,) = parsed.entries
    return entry


def stanza(text: str) -> SourceEntry:
    parsed = parse_deb822_sources(text, "x.sources")
    assert parsed.problems == ()
    (entry,) = parsed.entries
    return entry


def flat_stanza(more: str) -> str:
    return f"Types: deb\nURIs: http://a.example/d\nSuites: ./\n{more}\n"


def test_one_line_entry_is_read() -> None:
    assert line("deb http://a.example/debian bookworm main contrib  # comment") == SourceEntry(
        types=("deb",),
        uris=("http://a.example/debian",),
        suites=("bookworm",),
        components=("main", "contrib"),
        architectures=(),
        options={},
        signed_by=(),
        inline_key=None,
        trusted=None,
        enabled=True,
        where="sources.list:1",
    )


def test_options_of_one_line_have_their_deb822_names() -> None:
    entry = line(
        "deb-src [ arch=amd64,i386 arch-=armhf lang+=de,fr target=Packages signed-by=/k/a.gpg,"
        f"{FINGERPRINT}! trusted=no by-hash=force pdiffs=no check-valid-until=no ] http://a.example/d s/u main"
    )
    assert entry.types == ("deb-src",)
    assert entry.suites == ("s/u",)
    assert entry.architectures == ("amd64", "i386")
    assert entry.signed_by == ("/k/a.gpg", f"{FINGERPRINT}!")
    assert entry.trusted is False
    assert entry.options == {
        "architectures-remove": "armhf",
        "languages-add": "de fr",
        "targets": "Packages",
        "by-hash": "force",
        "pdiffs": "no",
        "check-valid-until": "no",
    }


@pytest.mark.parametrize(
    ("text", "uri", "suite"),
    [
        ("deb http://a.example/d ./", "http://a.example/d", "./"),
        ("deb http://a.example/d /", "http://a.example/d", "/"),
        ("deb http://a.example/d ubuntu2204/x86_64/", "http://a.example/d", "ubuntu2204/x86_64/"),
        ("deb\thttp://a.example/d\t./", "http://a.example/d", "./"),
        ("  deb   http://a.example/d   ./  ", "http://a.example/d", "./"),
        ("deb [trusted=yes]http://a.example/d ./", "http://a.example/d", "./"),
        ('deb "http://a.example/d" ./', "http://a.example/d", "./"),
        ("deb mirror+file:/etc/apt/mirrors.txt ./", "mirror+file:/etc/apt/mirrors.txt", "./"),
        ("deb file:///srv/repository ./", "file:///srv/repository", "./"),
        ("deb copy:/srv/repository ./", "copy:/srv/repository", "./"),
        ("deb cdrom:[Debian 12 _Bookworm_ #1]/ ./", "cdrom:[Debian 12 _Bookworm_ #1]/", "./"),
        ("deb http://user:p%40ss@a.example:8080/d ./", "http://user:p%40ss@a.example:8080/d", "./"),
        ("deb http://a.example/d $(ARCH)/", "http://a.example/d", "$(ARCH)/"),
        ("deb http://a.example/d ./\r", "http://a.example/d", "./"),
    ],
)
def test_address_and_suite_are_read_as_they_are_written(text: str, uri: str, suite: str) -> None:
    entry = line(text)
    assert (entry.uris, entry.suites, entry.components) == ((uri,), (suite,), ())


def test_comments_and_empty_lines_are_no_entries() -> None:
    assert parse_sources_list("# deb http://a.example/d ./\n\n   \n\t# x\n", "f") == Parsed((), ())


def test_comment_sign_within_brackets_is_no_comment() -> None:
    assert line("deb [lang=de#at] http://a.example/d ./").options == {"languages": "de#at"}


BAD_LINES = [
    *("deb", "deb http://a.example/d", "deb http://a.example/d bookworm", "deb http://a.example/d ./ main"),
    *("rpm http://a.example/d ./", "deb [arch=amd64 http://a.example/d ./", "deb [arch] http://a.example/d ./"),
    *("deb [arch=] http://a.example/d ./", "deb [=x] http://a.example/d ./", 'deb "http://a.example/d ./'),
    "deb no-address ./",
]
BAD_LINES_OURS = [
    *("deb [arch=../x] http://a.example/d ./", "deb [signed-by=0xDEADBEEF] http://a.example/d ./"),
    *("deb http://a.example/d ../x/", "deb http://a.example/d a//b main", "deb http://a.example/d s ../main"),
    *("deb http://a.example/d s\x1b[2J main", "deb [trusted=perhaps] http://a.example/d ./", "deb http: ./"),
    *("deb http://a.example/d s " + "c " * 300, "deb http://a.example/d s\0 main"),
]


@pytest.mark.parametrize("text", BAD_LINES + BAD_LINES_OURS)
def test_bad_line_is_a_problem_with_its_place_and_costs_no_other_entry(text: str) -> None:
    good = "deb http://a.example/d bookworm main"
    parsed = parse_sources_list(f"{good}\n{text}\n{good}\n", "/etc/apt/sources.list")
    assert [entry.where for entry in parsed.entries] == ["/etc/apt/sources.list:1", "/etc/apt/sources.list:3"]
    (problem,) = parsed.problems
    assert problem.where == "/etc/apt/sources.list:2"
    assert str(problem).isprintable()


def test_deb822_file_of_ubuntu_is_read() -> None:
    parsed = parse_deb822_sources(UBUNTU, "ubuntu.sources")
    assert parsed.problems == ()
    first, second = parsed.entries
    assert first == SourceEntry(
        types=("deb", "deb-src"),
        uris=("http://archive.ubuntu.example/ubuntu/", "http://mirror.example/ubuntu/"),
        suites=("noble", "noble-updates", "noble-backports"),
        components=("main", "universe"),
        architectures=(),
        options={},
        signed_by=("/usr/share/keyrings/ubuntu-archive-keyring.gpg",),
        inline_key=None,
        trusted=None,
        enabled=True,
        where="ubuntu.sources:1",
    )
    assert (second.where, second.enabled, second.suites) == ("ubuntu.sources:12", False, ("noble-security",))


def test_settings_of_a_stanza_are_kept() -> None:
    entry = stanza(
        flat_stanza("Architectures: amd64 arm64\nArchitectures-Add: i386\nTrusted: yes\nBy-Hash: no\nPDiffs: no")
    )
    assert entry.architectures == ("amd64", "arm64")
    assert entry.trusted is True
    assert entry.options == {"architectures-add": "i386", "by-hash": "no", "pdiffs": "no"}


def test_inline_key_comes_out_as_it_was_put_in() -> None:
    folded = "\n".join(f" {row}" if row else " ." for row in KEY.splitlines())
    for indent in ("", "   "):
        entry = stanza(flat_stanza("Signed-By:\n" + folded.replace("\n ", "\n " + indent)))
        assert entry.inline_key == KEY
        assert entry.signed_by == ()


def test_inline_key_that_is_cut_short_is_a_problem() -> None:
    folded = "\n".join(f" {row}" if row else " ." for row in KEY.splitlines()[:-1])
    parsed = parse_deb822_sources(flat_stanza("Signed-By:\n" + folded), "f")
    assert parsed.entries == ()
    assert "armored" in str(parsed.problems[0])


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("/a.gpg /b.asc", ("/a.gpg", "/b.asc")),
        (f"/a.gpg,{FINGERPRINT.lower()}", ("/a.gpg", FINGERPRINT)),
        (f"{FINGERPRINT}!", (f"{FINGERPRINT}!",)),
        ("ab" * 32, ("AB" * 32,)),
        ("", ()),
    ],
)
def test_signed_by_names_keyrings_and_fingerprints(value: str, keys: tuple[str, ...]) -> None:
    assert stanza(flat_stanza(f"Signed-By: {value}")).signed_by == keys


BAD_STANZAS = [
    *("Types: deb\nURIs: http://a.example/d", "URIs: http://a.example/d\nSuites: ./", "Types: deb\nSuites: ./"),
    flat_stanza("Components: main"),
    "Types: deb\nURIs: http://a.example/d\nSuites: s",
    "Types: rpm\nURIs: http://a.example/d\nSuites: ./",
    "Types: deb\nURIs: no-address\nSuites: ./",
]
BAD_STANZAS_OURS = [
    flat_stanza("Types: deb-src"),
    flat_stanza("Signed-By: nonsense"),
    flat_stanza("Enabled: perhaps"),
    flat_stanza("Architectures: ../x"),
    flat_stanza("no field"),
    "Types: deb\nURIs: http://a.example/d\nSuites: " + "s " * 300 + "\nComponents: main",
]


@pytest.mark.parametrize("text", BAD_STANZAS + BAD_STANZAS_OURS)
def test_bad_stanza_is_a_problem_with_its_place_and_costs_no_other_entry(text: str) -> None:
    good = flat_stanza("")
    text = text.rstrip("\n")
    parsed = parse_deb822_sources(f"{good}\n{text}\n\n{good}", "f")
    rows = len(text.split("\n"))
    assert [entry.where for entry in parsed.entries] == ["f:1", f"f:{6 + rows + 1}"]
    (problem,) = parsed.problems
    name, _, number = problem.where.rpartition(":")
    assert name == "f"
    assert 6 <= int(number) < 6 + rows


def test_disabled_stanza_that_could_not_be_used_is_no_problem() -> None:
    assert parse_deb822_sources("Types: deb\nEnabled: no\n", "f") == Parsed((), ())


def test_file_beyond_its_size_is_one_problem() -> None:
    for parse in (parse_sources_list, parse_deb822_sources):
        parsed = parse("#" * (2**20 + 1), "f")
        assert parsed.entries == ()
        assert [problem.where for problem in parsed.problems] == ["f"]


def test_hostile_lines_of_a_megabyte_take_linear_time() -> None:
    for piece in ("[", "]", '"', "[a", "#", " ", "a=b ", "[]", '"" ', "[#", "\t"):
        for start in ("", "deb ", "deb [", "deb [a=b] ", "deb http://a.example/d "):
            text = start + piece * (200_000 // len(piece))
            assert len(parse_sources_list(text, "f").entries) <= 1


@given(st.text(max_size=200) | nearly(UBUNTU.encode()).map(lambda data: data.decode("utf-8", "replace")))
def test_any_text_gives_entries_and_problems_and_no_exception(text: str) -> None:
    for parse in (parse_sources_list, parse_deb822_sources):
        parsed = parse(text, "f")
        assert all(str(problem).isprintable() for problem in parsed.problems)
        for entry in parsed.entries:
            assert entry.types
            assert all(".." not in suite.split("/") for suite in entry.suites)


tokens = st.text(alphabet="abz019.-", min_size=1, max_size=8).filter(lambda word: word not in {".", ".."})


@given(st.lists(tokens, min_size=1, max_size=3, unique=True), st.lists(tokens, min_size=1, max_size=3, unique=True))
def test_both_forms_of_one_source_mean_the_same(suites: list[str], components: list[str]) -> None:
    one_line = "".join(f"deb [trusted=yes] http://a.example/d {suite} {' '.join(components)}\n" for suite in suites)
    deb822 = (
        f"Types: deb\nURIs: http://a.example/d\nSuites: {' '.join(suites)}\n"
        f"Components: {' '.join(components)}\nTrusted: yes\n"
    )
    lines, stanzas = parse_sources_list(one_line, "f"), parse_deb822_sources(deb822, "f")
    assert lines.problems == stanzas.problems == ()
    assert tuple(entry.suites[0] for entry in lines.entries) == stanzas.entries[0].suites
    assert {entry.components for entry in lines.entries} == {stanzas.entries[0].components}
    assert {entry.trusted for entry in lines.entries} == {stanzas.entries[0].trusted}


GOOD_LINES = [
    *("deb http://a.example/d s main", "deb http://a.example/d/ s main other", "deb http://a.example/d ./"),
    *("deb http://a.example/d /", "deb http://a.example/d x/y/", "deb [arch=amd64 lang=none] http://a.example/d s/u m"),
    *("deb-src http://a.example/d s main", 'deb "http://a.example/d" s main'),
    *("deb [ trusted=yes by-hash=no ] http://a.example/d s main # x", "deb mirror+file:/etc/m.txt s main"),
    *(
        "deb\thttp://a.example/d\ts\tmain",
        "#deb http://a.example/d s main",
        "deb [signed-by=/k.gpg] http://a.example/d ./",
    ),
    f"deb [signed-by={FINGERPRINT}!] http://a.example/d s main",
]
GOOD_STANZAS = [UBUNTU, flat_stanza(""), flat_stanza("Enabled: no"), flat_stanza(f"Signed-By: /a.gpg {FINGERPRINT}")]


@pytest.mark.skipif(not has_python3_apt(), reason="python3-apt is not installed: apt cannot be asked")
def test_apt_itself_reads_and_refuses_the_same() -> None:
    cases = [
        *((".list", text) for text in GOOD_LINES + BAD_LINES),
        *((".sources", text) for text in GOOD_STANZAS + BAD_STANZAS),
    ]
    run = subprocess.run(
        [SYSTEM_PYTHON, APT_SOURCES], input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60
    )
    for (ending, text), by_apt in zip(cases, json.loads(run.stdout), strict=True):
        parsed = (parse_sources_list if ending == ".list" else parse_deb822_sources)(text, "f")
        ours = sorted(
            {
                (uri.removesuffix("/") + "/", suite)
                for entry in parsed.entries
                if entry.enabled
                for uri, suite in product(entry.uris, entry.suites)
            }
        )
        assert bool(parsed.problems) is (by_apt is None), (text, parsed.problems, by_apt)
        assert by_apt is None or [tuple(pair) for pair in by_apt] == ours, text
