"""Fetch a feed that an API gives a page at a time, into one file."""

import os
from collections.abc import Callable

from tidegate.advisories.documents import Validator
from tidegate.advisories.download import Access, Come, small
from tidegate.advisories.feed_folder import Coming, FeedFolder
from tidegate.advisories.pages import PAGE_BYTES_MAX, Pages, page_target
from tidegate.archive.errors import FormatError
from tidegate.sources.archive import Source
from tidegate.sources.failure import Failure, FetchError
from tidegate.store.journal import boot_id

TELL_PAGES = 25


async def fetch_pages(
    access: Access,
    source: Source,
    folder: FeedFolder,
    member: str,
    pages_max: int,
    size_max: int,
    *,
    told: Callable[[str], None],
) -> Come:
    """All pages, as one document of the same form. Raises FetchError where they do not fit together, and OSError."""
    file = f"{member}.json"
    pages = Pages(member)
    fd = folder.begin(Coming(source.url, file, None, None, None, "", boot_id()), append=False)
    size = 0
    try:
        with os.fdopen(fd, "wb") as out:
            size += out.write(b'{"%s":[' % member.encode())
            for number in range(pages_max):
                target = page_target(source.base, len(pages.ids))
                page = await small(access, source, (source.endpoint, target), size_max=PAGE_BYTES_MAX)
                for entry in pages.add(page):
                    size += out.write((b",\n" if size > len(member) + 5 else b"") + entry)
                if size > min(size_max, access.room() + size):
                    raise FetchError(Failure.OVERSIZED, f"more than {size_max:,} bytes, or than there is room for")
                if pages.is_whole:
                    break
                if number % TELL_PAGES == 0:
                    told(f"{len(pages.ids):,} of {pages.total:,} entries")
            else:
                raise FetchError(Failure.OVERSIZED, f"more than {pages_max:,} pages")
            size += out.write(b"]}")
    except FormatError as error:
        folder.drop_coming()
        raise FetchError(Failure.OTHER_VERSION, error.what) from None
    except (FetchError, OSError):
        folder.drop_coming()
        raise
    return Come(file, size, Validator())
