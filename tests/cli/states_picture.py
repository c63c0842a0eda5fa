"""docs/img/incident.svg: the states of an incident, from the table that decides on them."""

from collections.abc import Iterator

from tidegate.incidents.rules import TABLE, Cause, State

_PLACES = {State.OPEN: (40, 90), State.MITIGATED: (400, 90), State.CLOSED: (760, 90)}
_WHAT = {
    State.OPEN: "a condition holds",
    State.MITIGATED: "none holds; watched",
    State.CLOSED: "for good",
}
# Each way: its curve, and where its words stand.
_WAYS = {
    (State.OPEN, State.MITIGATED): ("M210 112 C270 104 340 104 400 112", 305, 96),
    (State.MITIGATED, State.OPEN): ("M400 138 C340 146 270 146 210 138", 305, 162),
    (State.MITIGATED, State.CLOSED): ("M570 125 C630 125 700 125 760 125", 665, 99),
    (State.OPEN, State.CLOSED): ("M125 90 C260 10 710 10 845 90", 485, 24),
    (State.OPEN, State.OPEN): ("M85 160 C75 205 175 205 165 160", 125, 212),
}
_STYLE = """\
svg { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; }
.state { fill: #eef3f8; stroke: #33536e; stroke-width: 1.5; }
.name { font-size: 16px; font-weight: bold; text-anchor: middle; fill: #16293a; }
.what { text-anchor: middle; fill: #16293a; }
.way { fill: none; stroke: #5a86ab; stroke-width: 1.5; marker-end: url(#tip); }
.tip { fill: #5a86ab; }
.why { fill: #51606f; text-anchor: middle; }
@media (prefers-color-scheme: dark) {
  .state { fill: #1c2a36; stroke: #8fb4d3; }
  .name, .what { fill: #e6eef5; }
  .way { stroke: #8fb4d3; }
  .tip { fill: #8fb4d3; }
  .why { fill: #b9c6d1; }
}"""


def picture() -> str:
    """The whole file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 970 240" role="img" aria-labelledby="title">'
    yield '<title id="title">An incident: open, mitigated, closed, and what leads from one to the other</title>'
    yield f"<style>\n{_STYLE}\n</style>"
    yield '<defs>\n<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
    yield ' orient="auto-start-reverse">\n<path class="tip" d="M0 0 10 5 0 10z"/>\n</marker>\n</defs>'
    for state, (x, y) in _PLACES.items():
        yield f'<rect class="state" x="{x}" y="{y}" width="170" height="70" rx="12"/>'
        yield f'<text class="name" x="{x + 85}" y="{y + 31}">{state}</text>'
        yield f'<text class="what" x="{x + 85}" y="{y + 53}">{_WHAT[state]}</text>'
    for (before, after), (curve, x, y) in _WAYS.items():
        yield f'<path class="way" data-from="{before}" data-to="{after}" d="{curve}"/>'
        for number, cause in enumerate(_causes(before, after)):
            yield f'<text class="why" x="{x}" y="{y + 16 * number}">{cause.replace("`", "")}</text>'
    yield "</svg>"


def _causes(before: State, after: State) -> list[Cause]:
    return [row.cause for row in TABLE if (row.before, row.after) == (before, after)]
