"""What the formats' readers say when they refuse.

Whose fault it is can be read from the type: these are always the fault of whoever wrote or sent the bytes.
"""

EXCERPT_CHARS_MAX = 80


class FormatError(ValueError):
    """Bytes that are not what they claim to be.

    `where` names the place for a person: a line (`line 7`), a field (`field 'Date'`), a stanza
    (`stanza of 'bash'`) or a file with its line (`/etc/apt/sources.list:3`); empty if there is none.
    """

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what, where)
        self.what = what
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class BadPath(FormatError):  # noqa: N818 -- the name says what is bad
    """A path that no honest client asks for and no honest index lists."""


class WeakDigests(FormatError):  # noqa: N818 -- the name says what is weak
    """An index that vouches for its content with nothing as strong as SHA-256."""


def excerpt(value: str | bytes) -> str:
    """Quote foreign text for a message: escaped to printable ASCII, and cut short."""
    if isinstance(value, bytes):
        value = value[: EXCERPT_CHARS_MAX + 1].decode("latin-1")
    if len(value) > EXCERPT_CHARS_MAX:
        return ascii(value[:EXCERPT_CHARS_MAX]) + "…"
    return ascii(value)
