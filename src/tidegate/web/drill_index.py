"""What a drill left behind, on one page that opens as a file."""

from collections.abc import Iterator, Sequence
from html import escape

from tidegate.web.drill_report import DrillReport

_WORDS = {
    "status-during/index.html": "the status page when nobody was left",
    "status/index.html": "the status page at the end",
    "journal.jsonl": "the journal",
    "hosts.jsonl": "each request of a host, as the host counted it",
    "apt.jsonl": "each answer that the real apt says it got",
    "sources.jsonl": "each request that a source got, as the source counted it",
    "report.json": "the report, for programs",
    "scenario.json": "the scenario",
}
_STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 "DejaVu Sans", Verdana, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8b99a6; }
.failed, .unknown { font-weight: bold; }
"""


def index(report: DrillReport, files: Sequence[str]) -> str:
    """The page: the verdict, the picture, each expectation, and the other files."""
    return "\n".join(_lines(report, files)) + "\n"


def _lines(report: DrillReport, files: Sequence[str]) -> Iterator[str]:
    title = escape(f"{report.title}: {report.verdict}")
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n<main>\n<h1>{title}</h1>"
    yield f"<p>{report.served:,} of {report.requests:,} requests were served; {report.seconds:.0f} s by the clock.</p>"
    yield f'<p><img src="run.svg" alt="{escape(_said(report))}"></p>'
    yield '<div class="wide"><table><thead><tr><th>verdict<th>measured<th>expected<th>what</thead><tbody>'
    for one in report.expectations:
        value = "not known" if one.measured is None else f"{one.measured:,.2f}".rstrip("0").rstrip(".")
        yield (
            f'<tr><td class="{one.verdict}">{one.verdict}<td>{value}<td>{escape(one.expected)}'
            f"<td>{escape(one.measure)}: {escape(one.meaning)}"
        )
    yield "</tbody></table></div>\n<h2>More of it</h2>\n<ul>"
    for name in files:
        if name not in ("run.svg", "index.html"):
            yield f'<li><a href="{escape(name)}">{escape(_WORDS.get(name, name))}</a>'
    yield "</ul>\n</main>\n</html>"


def _said(report: DrillReport) -> str:
    """The picture in words."""
    steps = "; ".join(f"{one.story} {one.text}" for one in report.steps)
    return f"{report.served:,} of {report.requests:,} requests served. {steps}"
