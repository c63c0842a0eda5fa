"""What the archive's tests generate: formats as they should be, and nearly so."""

from collections.abc import Callable, Iterable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st

from tidegate.archive.errors import FormatError

DATA = Path(__file__).parent.parent / "data"
fewer = settings(max_examples=min(100, settings().max_examples))
"""For examples that are long in the making and much alike."""

words = st.text(alphabet="abcxyz0129.+~-", min_size=1, max_size=12)
segments = st.from_regex(r"[A-Za-z0-9_+~:][A-Za-z0-9_.+~:-]{0,12}", fullmatch=True)
paths = st.lists(segments, min_size=1, max_size=5).map("/".join)
digests = st.binary(min_size=32, max_size=32)
sizes = st.integers(min_value=0, max_value=2**36)

field_names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True)
# Printable text without blanks at its ends, and never empty: what a line of a value can hold.
value_lines = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs", "Z"])
    | st.just(" "),
    min_size=1,
    max_size=20,
).filter(lambda line: line == line.strip())


def nearly(original: bytes) -> st.SearchStrategy[bytes]:
    """The original with a few slices replaced: still close enough to reach every branch of a reader."""
    edits = st.tuples(
        st.integers(0, len(original)),
        st.integers(0, 40),
        st.one_of(
            st.sampled_from([b"", b"\n", b"\n\n", b" ", b"\0", b"\r", b"\xff", b"%2e", b"../", b":", b"SHA256:"]),
            st.binary(max_size=8),
        ),
    )

    def edited(changes: list[tuple[int, int, bytes]]) -> bytes:
        data = original
        for start, length, replacement in changes:
            data = data[:start] + replacement + data[start + length :]
        return data

    return st.lists(edits, min_size=1, max_size=4).map(edited)


def refusal(read: Callable[[], object]) -> str:
    """What a reader says when it refuses, empty if it does not; any other exception fails the test."""
    try:
        read()
    except FormatError as error:
        return str(error)
    return ""


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """The data in chunks that end at the given positions."""
    ends = sorted({position for position in at if 0 < position < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]
