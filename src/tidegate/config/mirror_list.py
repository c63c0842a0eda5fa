"""The lists that `mirror+file:` names: one address a line, then tags (apt-transport-mirror(1))."""

import re

_PRIORITY = re.compile(r"(?:^|\s)priority:(\d{1,9})(?:\s|$)")
# apt puts addresses without a priority behind all that have one.
_LAST = 2**31


def parse_mirror_list(text: str) -> tuple[str, ...]:
    """The addresses in the order in which apt prefers them."""
    found: list[tuple[int, str]] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split(maxsplit=1)
        if words:
            priority = _PRIORITY.search(words[1]) if len(words) > 1 else None
            found.append((int(priority[1]) if priority else _LAST, words[0]))
    return tuple(address for _, address in sorted(found, key=lambda each: each[0]))
