"""What to do about a CVE or a notice now, in lines that can be typed as they are.

Which binary packages a host has of a source is asked of the host's own dpkg, so that a line is right on every host.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.answers.of_release import OfRelease, Tone

SOURCES_MAX = 12
"""In one line; a kernel's CVE is in a hundred packages, of which a host has one or two."""

_SAFE = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_KERNEL = re.compile(r"linux(?:-.+)?")


@dataclass(frozen=True, slots=True)
class Advice:
    """Sentences, and the lines for a host's shell. `look`: what the host has; `update`: what brings the fix."""

    urgent: bool
    look: str
    update: tuple[str, ...]
    restart: bool
    mitigated_by: tuple[str, ...]
    unfixed: tuple[str, ...]
    """Releases for which something is open and nothing was published."""
    esm: bool
    """Some of it is only in pockets that a host has to have enabled."""


def advice(releases: Iterable[OfRelease], mitigated_by: Iterable[str], *, exploited: bool) -> Advice:
    """What follows from what holds."""
    found = tuple(releases)
    fixed = [line for one in found for line in one.lines if line.tone is Tone.FIXED]
    still_open = [one for one in found if any(line.tone is Tone.OPEN for line in one.lines)]
    sources = sorted({line.package for one in found for line in one.lines if line.tone is not Tone.NOT_AFFECTED})
    safe = [name for name in sources if _SAFE.fullmatch(name)]
    kernel = any(_KERNEL.fullmatch(line.package) for line in fixed)
    return Advice(
        urgent=exploited,
        look=_look(safe) if safe else "",
        update=_update([line.package for line in fixed], kernel=kernel),
        restart=kernel,
        mitigated_by=tuple(mitigated_by),
        unfixed=tuple(one.title for one in still_open),
        esm=any(line.pocket for line in fixed),
    )


def _look(sources: list[str]) -> str:
    """Prints the host's packages of these sources, and nothing where it has none."""
    kernels = any(_KERNEL.fullmatch(name) for name in sources)
    if kernels:
        return "uname -r; dpkg-query -W -f '${source:Package} ${binary:Package} ${Version}\\n' 'linux-image-*'"
    return _dpkg_query() + f" | grep -E '^{_alternatives(sources)} '"


def _update(sources: Iterable[str], *, kernel: bool) -> tuple[str, ...]:
    names = sorted({name for name in sources if _SAFE.fullmatch(name)})
    if not names:
        return ()
    if kernel or len(names) > SOURCES_MAX:
        return ("apt-get update", "apt-get dist-upgrade")
    chosen = f"awk '$1 ~ /^{_alternatives(names)}$/ {{print $2}}'"
    return ("apt-get update", f"apt-get install --only-upgrade $({_dpkg_query()} | {chosen})")


def _dpkg_query() -> str:
    return "dpkg-query -W -f '${source:Package} ${binary:Package} ${Version}\\n'"


def _alternatives(names: Iterable[str]) -> str:
    """A regular expression for any of these."""
    found = [name.replace(".", "[.]").replace("+", "[+]") for name in list(names)[:SOURCES_MAX]]
    return found[0] if len(found) == 1 else f"({'|'.join(found)})"
