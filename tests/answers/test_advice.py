"""The lines that a page tells people to type: right for a shell, whatever a feed calls its packages."""

import shlex
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.answers.advice import SOURCES_MAX, advice
from tidegate.answers.of_release import Line, OfRelease, Tone

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,20}", fullmatch=True)


def release(*packages: str, tone: Tone = Tone.FIXED, pocket: str = "") -> OfRelease:
    lines = tuple(Line(name, pocket, tone, "fixed", "1.0", "", "ubuntu-osv", 0) for name in packages)
    return OfRelease("Ubuntu 24.04 (noble)", lines)


@given(st.lists(st.text(max_size=20) | NAMES, max_size=SOURCES_MAX + 3))
@settings(deadline=None)
def test_no_name_from_a_feed_reaches_a_shell_as_anything_but_a_name(names: list[str]) -> None:
    found = advice([release(*names)], [], exploited=False)
    for line in filter(None, (found.look, *found.update)):
        said = line
        for name in sorted(names, key=len, reverse=True):
            said = said.replace(name.replace(".", "[.]").replace("+", "[+]"), "x") if name.isascii() else said
        assert shlex.split(said.replace("$(", "(").replace(")", " "))
        assert not set(line) & set("`;&<>\n") - ({";"} if "uname -r" in line else set())


@given(st.lists(NAMES, min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_the_line_chooses_the_binaries_of_these_sources_and_no_others(names: list[str]) -> None:
    names = [name for name in names if not name.startswith("linux")]
    found = advice([release(*names)], [], exploited=False)
    if not names:
        return
    chooser = found.update[-1].partition("| ")[2].rstrip(")")
    listed = "".join(f"{name} {name}-bin 1.0\n" for name in dict.fromkeys(names)) + "zz!other other-bin 1.0\n"
    chosen = subprocess.run(["sh", "-c", chooser], input=listed, capture_output=True, text=True, check=True)
    assert chosen.stdout.split() == [f"{name}-bin" for name in dict.fromkeys(names)]


def test_a_kernels_fix_is_a_whole_upgrade_and_a_restart() -> None:
    found = advice([release("linux", "linux-aws")], [], exploited=True)
    assert found.update == ("apt-get update", "apt-get dist-upgrade")
    assert (found.restart, found.urgent) == (True, True)
    assert found.look.startswith("uname -r; dpkg-query")


def test_what_no_vendor_fixed_is_no_line_to_type() -> None:
    found = advice([release("rust-coreutils", tone=Tone.OPEN)], ["USN-1-1"], exploited=False)
    assert (found.update, found.unfixed, found.mitigated_by) == ((), ("Ubuntu 24.04 (noble)",), ("USN-1-1",))
    assert advice([release("bash", pocket="esm-infra")], [], exploited=False).esm
