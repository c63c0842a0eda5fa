"""A feed that an API gives a page at a time, as one document: whole only where all pages fit together. Pure.

Such an API has no snapshot: an entry that comes in meanwhile moves all others on by one, and some put the same ones in
another order each time. So a page that claims another total than the first, or repeats what an earlier one had, says
that this was no whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from tidegate.archive.errors import FormatError

PAGE_ENTRIES = 20
"""Some versions of Ubuntu's API give no more."""
PAGE_BYTES_MAX = 64 << 20
ENTRIES_MAX = 1_000_000


class _Identity(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Total(msgspec.Struct, frozen=True, gc=False):
    total_results: int


_TOTAL = msgspec.json.Decoder(_Total)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])
_IDENTITY = msgspec.json.Decoder(_Identity)


def page_target(base: str, offset: int) -> str:
    """The request target of the page that begins there, oldest first: then what is new comes last."""
    query = urlencode({"order": "oldest", "limit": PAGE_ENTRIES, "offset": offset})
    return f"{base}{'&' if '?' in base else '?'}{query}"


@dataclass
class Pages:
    """Pages in their order. `member` is where the entries are."""

    member: str
    total: int | None = None
    ids: set[str] = field(default_factory=set)

    @property
    def is_whole(self) -> bool:
        """Whether all that there is has come."""
        return self.total is not None and len(self.ids) == self.total

    def add(self, page: bytes) -> Iterator[bytes]:
        """Its entries, byte for byte. Raises FormatError where it does not fit to those before it."""
        try:
            total = _TOTAL.decode(page).total_results
            entries = _ENTRIES.decode(_MEMBERS.decode(page)[self.member])
            ids = [_IDENTITY.decode(entry).id for entry in entries]
        except KeyError:
            raise FormatError(f"a page without {self.member}") from None
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise FormatError(f"no page of {self.member}: {ascii(str(error))[1:-1][:200]}") from None
        if not 0 < total <= ENTRIES_MAX:
            raise FormatError(f"a page of {total} entries in all")
        if self.total is not None and total != self.total:
            raise FormatError(f"there were {self.total} entries in all, and then {total}: something came in meanwhile")
        if not ids:
            raise FormatError(f"an empty page after {len(self.ids)} of {total} entries")
        if len(set(ids)) < len(ids) or not self.ids.isdisjoint(ids):
            raise FormatError("an entry is on two pages, so another one is on none")
        self.total = total
        self.ids.update(ids)
        if len(self.ids) > total:
            raise FormatError(f"more than the {total} entries that there are in all")
        for entry in entries:
            yield bytes(entry)
