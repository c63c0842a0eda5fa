"""A post-mortem as one file of HTML: no script, no request, readable in the dark, on a phone and on paper. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from tidegate.incidents.draft import unknowns
from tidegate.incidents.human import Block, marked
from tidegate.incidents.postmortem import Fact, Human, Part, Postmortem, Said, Unknown
from tidegate.trust.verdict import utc

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """\
:root { color-scheme: light dark; --ink: #17222c; --faint: #54626f; --paper: #fdfdfb; --line: #d5dbe0; --mark: #eef3f8;
  --accent: #1f5d8c; --warn: #8a4b00; --claim: #fbf3e4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaef; --faint: #a3b1bd; --paper: #12181e; --line: #33404b;
  --mark: #1c2730; --accent: #8fc1e8; --warn: #f0b56a; --claim: #2a2418; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
p.lead { color: var(--faint); margin: 0 0 1rem; }
p.lead strong { color: var(--warn); }
ul { padding-left: 1.2rem; margin: .4rem 0; }
li { margin: .3rem 0; }
.cites, .cites a { color: var(--faint); font-size: .85em; white-space: nowrap; }
a { color: var(--accent); }
.unknown { color: var(--warn); }
.claim { background: var(--claim); padding: .3rem .5rem; border-radius: .3rem; }
.human { background: var(--mark); border-left: .25rem solid var(--accent); padding: .5rem .8rem; margin: .8rem 0; }
.ask { color: var(--faint); font-style: italic; margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; color: var(--faint); font-weight: 600; white-space: nowrap; }
th, td { padding: .35rem .5rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.event, td.when { white-space: nowrap; }
tr:target { background: var(--mark); }
@media (max-width: 34rem) { td.when { white-space: normal; } h1 { font-size: 1.25rem; } }
@media print { body { max-width: none; } }"""


def html(postmortem: Postmortem, written: Mapping[str, str], more: Sequence[Block] = ()) -> str:
    """The document, with what people `written` by key in its place, and what has no place any more at the end."""
    left = dict(written)
    lines = list(_lines(postmortem, left))
    over = [*(Block(key, text) for key, text in left.items()), *more]
    if over:
        lines.append("<h2>Kept from before</h2>")
        lines += [f'<div class="human">{marked(block.key, block.text)}</div>' for block in over]
    return "\n".join((*lines, "</main>", "</body>", "</html>", ""))


def _lines(postmortem: Postmortem, left: dict[str, str]) -> Iterator[str]:
    drill = f" (drill {postmortem.drill})" if postmortem.drill else ""
    title = escape(f"Post-mortem {postmortem.incident}{drill}: {postmortem.title}")
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>"
    state = "" if postmortem.is_over else "<strong>It goes on.</strong> "
    yield (
        f'<p class="lead">{state}Made from the journal up to event {postmortem.up_to}. A number such as #12 is the'
        " event that says so. What stands in a box was written by people, and stays when this is made anew.</p>"
    )
    told = {line.seq for line in postmortem.timeline}
    for section in postmortem.sections:
        yield f"<h2>{escape(section.title)}</h2>"
        yield from _parts(section.parts, told, left)
    yield "<h2>Not known</h2>\n<ul>"
    yield from (f'<li class="unknown">{escape(text)}</li>' for text in unknowns(postmortem))
    yield "</ul>\n<h2>Timeline</h2>\n<table>\n<thead><tr><th>Event</th><th>When</th><th>What</th></tr></thead>\n<tbody>"
    for line in postmortem.timeline:
        cells = (
            f'<td class="event">#{line.seq}</td><td class="when">{utc(int(line.at))}</td><td>{escape(line.text)}</td>'
        )
        yield f'<tr id="e{line.seq}">{cells}</tr>'
    yield "</tbody>\n</table>"
    if postmortem.left_out:
        yield f"<p>{postmortem.left_out:,} further events are left out here.</p>"


def _parts(parts: Sequence[Part], told: set[int], left: dict[str, str]) -> Iterator[str]:
    """Sentences as lists; places for people stand between them."""
    is_listing = False
    for part in parts:
        if isinstance(part, Human):
            if is_listing:
                yield "</ul>"
            is_listing = False
            asked = f'\n<p class="ask">To be written: {escape(part.ask)}</p>\n'
            yield f'<div class="human">{marked(part.key, left.pop(part.key, asked))}</div>'
            continue
        if not is_listing:
            yield "<ul>"
        is_listing = True
        yield _sentence(part, told)
    if is_listing:
        yield "</ul>"


def _sentence(part: Fact | Unknown | Said, told: set[int]) -> str:
    match part:
        case Fact(text, cites):
            return f"<li>{escape(text)} {_cites(cites, told)}</li>"
        case Said(text, cites):
            return f'<li class="claim"><em>Claim</em> {escape(text)} {_cites(cites, told)}</li>'
        case Unknown(text):
            return f'<li class="unknown">Not known: {escape(text)}</li>'


def _cites(cites: Sequence[int], told: set[int]) -> str:
    shown = (f'<a href="#e{seq}">#{seq}</a>' if seq in told else f"#{seq}" for seq in cites)
    return f'<span class="cites">({", ".join(shown)})</span>'
