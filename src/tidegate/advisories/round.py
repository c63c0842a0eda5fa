"""One round for one feed: source by source, until one brings it, whole, verified and read; or says that it is the same.

A source whose bytes are refused is passed over like one that is not there. Whatever happens, what was known stands.
"""

import asyncio
from dataclasses import dataclass, replace

from tidegate.advisories.at_hand import AtHand, Brought, News, Same, UnfitError, date_of
from tidegate.advisories.digest_list import LIST_BYTES_MAX, listed_digest
from tidegate.advisories.documents import Validator
from tidegate.advisories.download import Come, Unchanged, download, small
from tidegate.advisories.from_files import digest_of
from tidegate.advisories.from_here import from_here
from tidegate.advisories.history import Verified
from tidegate.advisories.paging import fetch_pages
from tidegate.advisories.subscription import companion, file_of
from tidegate.archive.errors import FormatError
from tidegate.sources.alone import may_connect
from tidegate.sources.archive import BadAddressError, Source
from tidegate.sources.failure import Excluded, Failure, FetchError
from tidegate.sources.selection import plan
from tidegate.trust.frame import SIGNATURE_BYTES_MAX
from tidegate.trust.verdict import Refused


@dataclass(frozen=True, slots=True)
class NotBrought:
    """Nobody brought it. `refused`: of these, those who gave something that was not taken."""

    excluded: tuple[Excluded, ...]
    refused: tuple[Excluded, ...]


Outcome = Brought | Same | NotBrought


@dataclass(frozen=True, slots=True)
class _Vouched:
    """What a source's list says of the file: its digest in hexadecimal, and what vouches for that."""

    listed: str = ""
    verified: Verified = Verified.NOTHING


async def go_round(at_hand: AtHand) -> Outcome:
    """Raises BusyFeedError where another process is at this feed, and OSError where our own disk fails."""
    with at_hand.folder.locked():
        await at_hand.catch_up()
        sources, left = _order(at_hand)
        excluded, refused = list(left), list[Excluded]()
        for source in sources:
            at_hand.say(f"asking {source.url}")
            try:
                found = await _ask(at_hand, source)
            except FetchError as error:
                excluded.append(Excluded(source.url, error.in_words))
            except (UnfitError, BadAddressError) as error:
                refused.append(Excluded(source.url, str(error)))
                excluded.append(refused[-1])
            else:
                return replace(found, excluded=tuple(excluded))
        return NotBrought(tuple(excluded), tuple(refused))


def _order(at_hand: AtHand) -> tuple[list[Source], list[Excluded]]:
    """Who is asked, best first, and who is not."""
    health, sources = at_hand.ports.access.health, at_hand.subscription.sources
    planned = plan(sources, ("",), health, health.now())
    asked = [candidate.source for candidate in planned.candidates]
    if at_hand.anyway:
        asked += [source for source in sources if source not in asked and may_connect(source, health)]
    urls = {source.url for source in asked}
    return asked, [one for one in planned.excluded if one.source not in urls]


async def _ask(at_hand: AtHand, source: Source) -> Brought | Same:
    if source.endpoint.root is not None:
        return await from_here(at_hand, source, source.endpoint.root)
    vouched = await _listed(at_hand, source)
    entry = at_hand.known_entry()
    if entry is not None and vouched.listed and entry.file.startswith(vouched.listed):
        return await at_hand.same(source, entry, Validator(), at_hand.now)
    known = entry.validators.get(source.url) if entry is not None else None
    come = await _fetched(at_hand, source, known, vouched.listed)
    if isinstance(come, Unchanged):
        if entry is None or known is None:
            raise at_hand.unfit(source, "says that nothing changed, which it was not asked")
        return await at_hand.same(source, entry, known, max(0, at_hand.now - come.age_s))
    return await _take(at_hand, source, come, vouched)


async def _fetched(at_hand: AtHand, source: Source, known: Validator | None, listed: str) -> Come | Unchanged:
    """Raises FetchError, OSError."""
    sub, access, settings = at_hand.subscription, at_hand.ports.access, at_hand.settings
    try:
        async with asyncio.timeout(settings.fetch_timeout_s):
            if sub.pages_of:
                limits = (settings.pages_max, sub.bytes_max)
                return await fetch_pages(access, source, at_hand.folder, sub.pages_of, *limits, told=at_hand.say)
            return await download(
                access, source, at_hand.folder, file_of(source), size_max=sub.bytes_max, known=known, listed=listed
            )
    except TimeoutError:
        error = FetchError(Failure.SLOW, f"not all of it within {settings.fetch_timeout_s:g} s")
        access.health.failed(source.url, error)
        raise error from None


async def _listed(at_hand: AtHand, source: Source) -> _Vouched:
    """What the list of digests says, verified where it is signed. Raises FetchError, UnfitError."""
    sub = at_hand.subscription
    if not sub.digests:
        return _Vouched()
    told = await small(at_hand.ports.access, source, companion(source, sub.digests), size_max=LIST_BYTES_MAX)
    if sub.signature:
        await _check_signature(at_hand, source, told)
    try:
        digest = listed_digest(told, file_of(source))
    except FormatError as error:
        raise at_hand.unfit(source, str(error)) from None
    return _Vouched(digest.hex(), Verified.SIGNATURE if sub.signature else Verified.DIGEST_LIST)


async def _check_signature(at_hand: AtHand, source: Source, signed: bytes) -> None:
    """Raises FetchError, UnfitError."""
    sub, ports = at_hand.subscription, at_hand.ports
    signature = await small(ports.access, source, companion(source, sub.signature), size_max=SIGNATURE_BYTES_MAX)
    verdict = await asyncio.to_thread(ports.verifier.verify_detached, signed, signature, sub.keyring, at_hand.now)
    if isinstance(verdict, Refused):
        raise at_hand.unfit(source, f"its signature is refused: {verdict.evidence}")


async def _take(at_hand: AtHand, source: Source, come: Come, vouched: _Vouched) -> Brought:
    """What has come becomes what is known, and then the newest file. Raises FetchError, UnfitError, OSError."""
    path = at_hand.folder.coming_path(come.file)
    digest = await asyncio.to_thread(digest_of, path)
    if vouched.listed and digest.hex() != vouched.listed:
        at_hand.folder.drop_coming()
        if come.resumed_at:  # another source may have given its beginning
            again = await _fetched(at_hand, source, None, vouched.listed)
            assert isinstance(again, Come)
            return await _take(at_hand, source, again, vouched)
        error = FetchError(Failure.WRONG_BYTES, f"{digest.hex()[:16]}… where {vouched.listed[:16]}… is listed")
        at_hand.ports.access.health.failed(source.url, error)
        raise error
    published = date_of(come.validator.last_modified)
    at = max(0, at_hand.now - come.age_s)
    news = News(path, source.url, at, at_hand.now, vouched.verified, published)
    taken = await at_hand.read(source, news)
    document = await at_hand.publish(source, news, digest, come.file, come.size, come.validator)
    return Brought(source.url, vouched.verified, taken, document)
