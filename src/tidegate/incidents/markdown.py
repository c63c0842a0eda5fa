"""A post-mortem as Markdown. Pure. Whatever comes from outside is escaped: it can be neither markup nor a comment."""

import re
from collections.abc import Iterator, Mapping, Sequence

from tidegate.incidents.draft import unknowns
from tidegate.incidents.human import Block, marked
from tidegate.incidents.postmortem import Fact, Human, Part, Postmortem, Said, Unknown
from tidegate.trust.verdict import utc

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&$])")


def markdown(postmortem: Postmortem, written: Mapping[str, str], more: Sequence[Block] = ()) -> str:
    """The document, with what people `written` by key in its place, and what has no place any more at the end."""
    left = dict(written)
    lines = list(_lines(postmortem, left))
    over = [*(Block(key, text) for key, text in left.items()), *more]
    if over:
        lines += ["## Kept from before", ""]
        lines += [line for block in over for line in (marked(block.key, block.text), "")]
    return "\n".join(lines)


def _lines(postmortem: Postmortem, left: dict[str, str]) -> Iterator[str]:
    drill = f" (drill {_plain(postmortem.drill)})" if postmortem.drill else ""
    yield f"# Post-mortem {postmortem.incident}{drill}: {_plain(postmortem.title)}"
    yield ""
    state = "" if postmortem.is_over else "**It goes on.** "
    yield f"{state}Made from the journal up to event {postmortem.up_to}. `#12` is the event that says so"
    yield f"(`tidegate journal show --since {postmortem.incident.rpartition('-')[2]}`). What stands between marks was"
    yield "written by people, and stays when this is made anew."
    for section in postmortem.sections:
        yield from ("", f"## {section.title}", "")
        for part in section.parts:
            yield from _part(part, left)
    yield from ("", "## Not known", "")
    yield from (f"- {_plain(text)}" for text in unknowns(postmortem))
    yield from ("", "## Timeline", "", "| event | when | what |", "|---|---|---|")
    for line in postmortem.timeline:
        yield f"| \\#{line.seq} | {utc(int(line.at))} | {_plain(line.text)} |"
    if postmortem.left_out:
        yield from ("", f"{postmortem.left_out:,} further events are left out here.")
    yield ""


def _part(part: Part, left: dict[str, str]) -> Iterator[str]:
    match part:
        case Fact(text, cites):
            yield f"- {_plain(text)} ({_cites(cites)})"
        case Unknown(text):
            yield f"- Not known: {_plain(text)}"
        case Said(text, cites):
            yield f"- *Claim* {_plain(text)} ({_cites(cites)})"
        case Human(key, ask):
            yield from ("", marked(key, left.pop(key, f"\n_To be written: {_plain(ask)}_\n")))


def _cites(cites: Sequence[int]) -> str:
    return ", ".join(f"\\#{seq}" for seq in cites)


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
