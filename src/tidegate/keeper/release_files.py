"""A suite's signed statement, from one source: fetched, verified, and measured against the rules."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.archive.errors import FormatError, WeakDigests
from tidegate.archive.paths import suite_base
from tidegate.archive.release import Release, parse_release
from tidegate.sources.archive import Archive, Source
from tidegate.sources.failure import FetchError
from tidegate.sources.fetching import Document, Fetching, Unchanged
from tidegate.store.catalogue import Snapshot, Validator
from tidegate.store.marks import Marks
from tidegate.trust.acceptance import Accepted, Mark, Rules, accept, content_digest
from tidegate.trust.settings import TrustSettings
from tidegate.trust.verdict import Reason, Refused, Signed
from tidegate.trust.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Trust:
    """Who verifies, by which rules, and what was accepted so far."""

    verifier: Verifier
    settings: TrustSettings
    marks: Marks


@dataclass(frozen=True, slots=True)
class Statement:
    """A Release that was accepted: what it says, who said so, and its files as they came."""

    source: str
    accepted: Accepted
    release: Release
    signed: Signed
    files: Mapping[str, bytes]
    validator: Validator


@dataclass(frozen=True, slots=True)
class Dated(Refused):
    """A no to a Release whose signatures are good: what it is tells how far its source is behind."""

    date: int
    payload: bytes
    """`content_digest` of the signed text."""


Answer = Statement | Unchanged | Refused | FetchError
"""What a source had to say. `Unchanged` is only ever said of what is served."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked about: a suite as it is served and marked now."""

    archive: Archive
    suite: str
    mark: Mark | None
    served: Snapshot | None
    rules: Rules
    now: int


async def ask(
    asking: Asking, source: Source, fetching: Fetching, verifier: Verifier, known: Validator | None
) -> Statement | Unchanged | Refused:
    """InRelease from a source, or Release with Release.gpg where it has none. Raises FetchError.

    A Release that is refused for what it says, not for who signed it, comes back as `Dated`.

    `known` is what this source last said; it is only asked `if changed` when that is what we serve.
    """
    if known is None or asking.served is None or known.payload != asking.served.payload:
        known = Validator(None, None, b"")
    path = f"{suite_base(asking.suite)}InRelease"
    size_max = fetching.settings.release_bytes_max
    try:
        document = await fetching.document(
            source, path, size_max=size_max, last_modified=known.last_modified, etag=known.etag
        )
    except FetchError as error:
        if not error.is_absence:
            raise
        return await _ask_detached(asking, source, fetching, verifier)
    if isinstance(document, Unchanged):
        return document
    signed = await asyncio.to_thread(verifier.verify_inrelease, document.data, asking.archive.keyring, asking.now)
    return _judge(asking, source, signed, {"InRelease": document.data}, document)


async def _ask_detached(asking: Asking, source: Source, fetching: Fetching, verifier: Verifier) -> Statement | Refused:
    files, document = await detached(asking.suite, source, fetching)
    signed = await asyncio.to_thread(
        verifier.verify_detached, files["Release"], files["Release.gpg"], asking.archive.keyring, asking.now
    )
    return _judge(asking, source, signed, files, document)


async def detached(suite: str, source: Source, fetching: Fetching) -> tuple[dict[str, bytes], Document]:
    """Release and Release.gpg, unverified. Raises FetchError."""
    base, size_max = suite_base(suite), fetching.settings.release_bytes_max
    release = await fetching.document(source, f"{base}Release", size_max=size_max)
    signature = await fetching.document(source, f"{base}Release.gpg", size_max=size_max)
    assert isinstance(release, Document)
    assert isinstance(signature, Document)
    return {"Release": release.data, "Release.gpg": signature.data}, release


def _judge(
    asking: Asking, source: Source, signed: Signed | Refused, files: Mapping[str, bytes], document: Document
) -> Statement | Refused:
    if isinstance(signed, Refused):
        return signed
    try:
        release = parse_release(signed.release)
    except WeakDigests as error:
        return Refused(Reason.WEAK_INDEX_DIGESTS, str(error))
    except FormatError as error:
        return Refused(Reason.MALFORMED, str(error))
    verdict = accept(signed, release, asking.mark, asked_suite=asking.suite, now=asking.now, rules=asking.rules)
    if isinstance(verdict, Refused):
        return Dated(verdict.reason, verdict.evidence, release.date, content_digest(signed.release))
    validator = Validator(document.last_modified, document.etag, verdict.mark.digest)
    return Statement(source.url, verdict, release, signed, files, validator)
