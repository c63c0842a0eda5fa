"""A hostile page made plain: whatever goes in, tags of ours and text come out, in no time."""

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.watch.plain import KEPT, plain_of
from tidegate.watch.reading import readable
from tidegate.watch.warc import CopiedPage

TAGS = re.compile(r"</?([a-z0-9]+)>")
PIECES = (
    *("<script>", "</script>", "<b", "<img src=x onerror=alert(1)>", '"', "'", ">", "<!--", "-->", "<p>", "</p>"),
    *("&lt;", "<style>", "<svg/onload=alert(1)>", "&#60;script&#62;", "x", " ", "\n", "<iframe srcdoc='<script>'>"),
    *("<pre>", "<base href=//evil>", "<meta http-equiv=refresh content=0;url=//evil>", "<a href=javascript:x>", "</"),
    *("<", "<head>", "<title>", "</title>", "<TEXTAREA>", "\u0130", "<table>", "</table><td>"),
)
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join)


@given(HOSTILE)
def test_only_tags_of_ours_without_attributes_come_out_and_each_is_closed(page: str) -> None:
    markup = plain_of(page).markup
    rest = TAGS.sub(lambda tag: "" if tag[1] in KEPT else "<", markup)
    assert "<" not in rest
    assert ">" not in rest
    assert html.escape(html.unescape(rest)) == rest
    opened = [tag for tag in TAGS.findall(markup) if tag not in ("br", "hr")]
    assert len(opened) % 2 == 0


def test_words_stay_and_what_is_not_for_reading_goes() -> None:
    made = plain_of(
        "<html><head><title>Status &amp; news</title><style>p{}</style></head><body><nav>Home</nav>"
        '<h1>All   <b>well</b></h1><p>One<br>two &lt;b&gt;</p><ul><li>a<li>b</ul><img alt="a chart" src=x>'
        "<table><tr><th>x</th><td>1</td></tr></table><pre>  kept\n as is</pre><script>no()</script><p>end"
    )
    assert made.title == "Status & news"
    assert "no()" not in made.text + made.markup
    assert "p{}" not in made.text
    assert made.text.split("\n")[:2] == ["Home", ""] or made.text.startswith("Home\n")
    for words in ("All well", "One\ntwo <b>", "- a", "[a chart]", "  kept\n as is", "end"):
        assert words in made.text, words
    assert "<h1>All <b>well</b></h1>" in made.markup
    assert "two &lt;b&gt;" in made.markup


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<!--", "<p>", "</p>", "<script>", "<head>", "<title>", "<b><i>", "&#x", '<img alt="', "<pre> "],
)
def test_a_large_page_takes_no_time_whatever_it_repeats(piece: str) -> None:
    page = piece * (262_144 // len(piece))
    begun = time.process_time()
    plain_of(page)
    assert time.process_time() - begun < 1.5


def copy(body: bytes, content_type: str) -> CopiedPage:
    return CopiedPage("https://x.example/", "https://x.example/", 0.0, 200, content_type, body)


def test_what_is_no_page_is_text_or_nothing() -> None:
    assert readable(copy(b'{"a":{"b":1}}', "application/json")).text == '{\n  "a": {\n    "b": 1\n  }\n}'
    assert readable(copy(b"{", "application/json")).text == "{"
    assert readable(copy(b"<script>", "text/plain")).text == "<script>"
    assert readable(copy(b"<p>x", "application/octet-stream")).text is None
    assert readable(copy(b"\x1b[2Jx\xe2\x80\xae", "text/plain")).text == "\ufffd[2Jx\ufffd"
    page = readable(copy(b"<p>a&#x202e;b", "text/html")).page
    assert page is not None
    assert page.text == "a\ufffdb"
    assert readable(copy("é".encode("latin-1"), "text/plain; charset=latin1")).text == "é"
    assert readable(copy(b"x", "text/plain; charset=zlib")).text == "x"
