"""WARC: whatever head a host sends, the page comes out as it came in, or it is said why it is not kept."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tidegate.watch import warc
from tidegate.watch.settings import WatchSettings
from tidegate.watch.watch import Exchange, watches_of

WATCH = watches_of([WatchSettings(name="page", url="https://x.example/", contains="x")])[0]["page"]
NAMES = st.text("abcxyz-ABC0", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    st.binary(max_size=300),
    st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.0 200", "HTTP/1.1 200 ", "HTTP/1.1 404 \xe9"]),
    st.sampled_from(["", "Transfer-Encoding: chunked", "transfer-encoding: Chunked"]),
)
def test_the_page_comes_out_as_it_came_in(headers: list[tuple[str, str]], body: bytes, line: str, coding: str) -> None:
    lines = [line, *([coding] if coding else []), *(f"{name}: {value}" for name, value in headers), "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    one = Exchange(WATCH.url, b"GET / HTTP/1.1\r\nHost: x.example\r\n\r\n", head, 200, {}, body, 1_777_636_800.25)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "copy.warc.gz")
        warc.write(path, WATCH, (one,))
        page = warc.read(path, 10_000)
    assert (page.asked, page.url, page.taken_at) == (WATCH.url, WATCH.url, 1_777_636_800.25)
    assert page.body == body
