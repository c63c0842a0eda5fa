"""Errors say what and where, and never carry foreign bytes to a terminal."""

import pickle

from tidegate.archive.errors import EXCERPT_CHARS_MAX, BadPath, FormatError, WeakDigests, excerpt


def test_error_says_where_before_what() -> None:
    error = FormatError("no Date", "line 7")
    assert str(error) == "line 7: no Date"
    assert (error.what, error.where) == ("no Date", "line 7")
    assert str(FormatError("no Date")) == "no Date"


def test_error_survives_the_way_back_from_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(WeakDigests("no SHA256", "stanza 'a'")))
    assert isinstance(error, WeakDigests)
    assert str(error) == "stanza 'a': no SHA256"


def test_bad_path_is_a_format_error() -> None:
    assert issubclass(BadPath, FormatError)


def test_excerpt_is_short_and_printable_for_text_and_bytes() -> None:
    for foreign in ("\x1b[2J\n\x9b" + "é" * 1000, b"\x1b[2J\n\x9b" + b"\xff" * 1000):
        text = excerpt(foreign)
        assert text.removesuffix("…").isascii()
        assert text.isprintable()
        assert len(text) <= 6 * EXCERPT_CHARS_MAX + 3
    assert excerpt("main") == "'main'"
