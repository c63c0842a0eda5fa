"""Versions compare as dpkg compares them: on others' vectors, and on random pairs against apt itself."""

import io
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, refusal
from tidegate.archive.errors import FormatError
from tidegate.archive.versions import VERSION_CHARS_MAX, Version, compare, parse_version, version_key

SYSTEM_PYTHON = "/usr/bin/python3"
APT_COMPARE = Path(__file__).with_name("apt_compare.py")
ORDERS = {"<": -1, "=": 0, ">": 1}

upstreams = st.text(alphabet="0019aAzZ.+~", min_size=1, max_size=12)
versions = st.builds(
    "{}{}{}".format, st.sampled_from(["", "", "0:", "1:", "10:"]), upstreams, st.just("") | upstreams.map("-{}".format)
)


def vectors() -> Iterator[tuple[str, str, str]]:
    with (DATA / "versions/generated.txt.zst").open("rb") as packed:
        generated = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed)).read()
    for line in (generated + (DATA / "versions/plain.txt").read_text()).splitlines():
        if line:
            a, order, b = line.split()
            yield a, order, b


def random_version(random_: random.Random) -> str:
    """A version from a small alphabet, so that pairs often share a beginning."""

    def part(characters: str, length_max: int) -> str:
        return "".join(random_.choices(characters, k=random_.randint(1, length_max)))

    epoch = random_.choice(["", "", "", "0:", "1:", "00:"])
    upstream = random_.choice("0123") + part("0019ab.+~Z-" + ":" * bool(epoch), 9)
    with_revision = "-" in upstream or random_.random() < 0.5
    return f"{epoch}{upstream}-{part('001ab.+~', 5)}" if with_revision else f"{epoch}{upstream}"


def random_pairs(count: int) -> Iterator[tuple[str, str]]:
    random_ = random.Random(20261122)
    for _ in range(count):
        a = random_version(random_)
        if random_.random() < 0.5:
            yield a, random_version(random_)
        else:  # a near neighbour: the same with one character changed or dropped
            at = random_.randrange(len(a))
            b = a[:at] + random_.choice(["", "0", "~", "1", "a", "."]) + a[at + 1 :]
            yield a, b if _is_valid(b) else a


def _is_valid(version: str) -> bool:
    try:
        parse_version(version)
    except FormatError:
        return False
    return version[0].isdigit()


def by_apt(pairs: list[tuple[str, str]]) -> list[int]:
    given_pairs = "".join(f"{a} {b}\n" for a, b in pairs)
    run = subprocess.run(
        [SYSTEM_PYTHON, APT_COMPARE], input=given_pairs, capture_output=True, text=True, check=True, timeout=100
    )
    return [int(line) for line in run.stdout.split()]


def by_dpkg(pairs: list[tuple[str, str]]) -> list[int]:
    def is_so(a: str, relation: str, b: str) -> bool:
        return subprocess.run(["dpkg", "--compare-versions", a, relation, b], check=False).returncode == 0

    return [-1 if is_so(a, "lt", b) else int(is_so(a, "gt", b)) for a, b in pairs]


def has_python3_apt() -> bool:
    if not Path(SYSTEM_PYTHON).exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", "import apt_pkg"], check=False, capture_output=True).returncode == 0


def test_all_vectors_of_others_agree() -> None:
    checked = 0
    for a, order, b in vectors():
        assert compare(a, b) == ORDERS[order], (a, order, b)
        assert compare(b, a) == -ORDERS[order], (a, order, b)
        checked += 1
    assert checked == 14_472


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this machine to ask")
def test_random_pairs_compare_as_on_debian() -> None:
    """apt compares all in one process; without python3-apt, dpkg compares 2,000. VERSION_PAIRS=200000 for more."""
    ask, count = (by_apt, int(os.environ.get("VERSION_PAIRS", "40000"))) if has_python3_apt() else (by_dpkg, 2_000)
    pairs = list(random_pairs(count))
    answers = ask(pairs)
    assert len(answers) == count
    assert {-1, 0, 1} == set(answers)
    wrong = [(a, b, answer) for (a, b), answer in zip(pairs, answers, strict=True) if compare(a, b) != answer]
    assert wrong == []


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this machine to ask")
def test_dpkg_itself_agrees_on_a_sample() -> None:
    pairs = list(random_pairs(100))
    assert [compare(a, b) for a, b in pairs] == by_dpkg(pairs)


@given(versions, versions, versions)
def test_order_is_total(a: str, b: str, c: str) -> None:
    assert compare(a, a) == 0
    assert compare(a, b) == -compare(b, a)
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0


@given(versions, st.text(alphabet="0019aAzZ.+", min_size=1, max_size=4))
def test_tilde_comes_before_the_end_and_the_end_before_anything_else(version: str, more: str) -> None:
    assert compare(version + "~" + more, version) < 0
    assert compare(version + more + "~", version + more) < 0
    assert compare(version + "+" + more, version) > 0


@given(versions)
def test_leading_zeros_and_a_zero_epoch_and_revision_change_nothing(version: str) -> None:
    epoch, upstream, revision = parse_version(version)
    assert compare(version, f"00{epoch}:{upstream}-{revision or '0'}") == 0


@given(st.integers(0, 2**31 - 1), upstreams, upstreams)
def test_parts_that_were_joined_are_parted_again(epoch: int, upstream: str, revision: str) -> None:
    assert parse_version(f"{epoch}:{upstream}-{revision}") == Version(epoch, upstream, revision)
    assert parse_version(f"{epoch}:{upstream}-b-{revision}") == Version(epoch, f"{upstream}-b", revision)
    assert parse_version(upstream) == Version(0, upstream, "")


@given(st.text(max_size=20))
def test_any_text_gives_a_key_or_a_format_error(text: str) -> None:
    assert refusal(lambda: version_key(text)).isprintable()


@pytest.mark.parametrize(
    "version",
    [
        *("", ":1", "a:1", "-1:1", "1:", "1-", "-1", "1:-1", "1 2", "1\n", " 1", "1_2", "1/2", "é", "1-ü", "\u0661"),
        *(f"{2**31}:1", "1:2-3_4", "1:1-1:1", "+1:1", "1" * (VERSION_CHARS_MAX + 1), f"{'0' * 20}1:1"),
    ],
)
def test_bad_version_is_refused(version: str) -> None:
    with pytest.raises(FormatError):
        version_key(version)


def test_longest_run_of_digits_still_compares_as_a_number() -> None:
    digits = "9" * VERSION_CHARS_MAX
    assert compare(digits, digits[:-1] + "8") > 0
    assert compare("0" * 250 + "9", "10") < 0
