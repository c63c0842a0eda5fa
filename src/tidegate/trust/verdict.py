"""What trust says: `Signed` bytes with their signers, or `Refused` with a reason and a sentence.

Every other module of the room answers in these words, so that the journal, the answer's `X-Tidegate`
header, the status page and `tidegate verify` can all say the same thing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why bytes were refused, or what is worth telling about bytes that were accepted."""

    # The file as it came.
    UNSIGNED = "unsigned"  # no signature at all: an empty file, a captive portal's page, a bare Release
    BAD_FRAME = "bad-frame"  # something around, between or inside what is signed
    MALFORMED = "malformed"  # a signature, key or Release that cannot be read
    OVERSIZED = "oversized"  # larger than the named limit, not looked at
    TOO_MANY_SIGNATURES = "too-many-signatures"
    # Signatures and keys.
    BAD_SIGNATURE = "bad-signature"  # a key we know did not sign these bytes
    UNKNOWN_KEY = "unknown-key"
    EXPIRED_KEY = "expired-key"
    REVOKED_KEY = "revoked-key"
    WEAK_KEY = "weak-key"
    WEAK_DIGEST = "weak-digest"  # a signature over SHA-1 or MD5
    EXPIRED_SIGNATURE = "expired-signature"
    UNSUPPORTED_SIGNATURE = "unsupported-signature"  # of a version or algorithm that we cannot check
    NOT_FOR_SIGNING = "not-for-signing"  # a key that its owner did not bind for signatures
    EMPTY_KEYRING = "empty-keyring"
    # The Release and its history.
    WEAK_INDEX_DIGESTS = "weak-index-digests"  # no SHA256 section (threat 29)
    OLDER_THAN_ACCEPTED = "older-than-accepted"
    SPLIT_VIEW = "split-view"  # the same Date, other content
    FROM_THE_FUTURE = "from-the-future"
    EXPIRED = "expired"  # Valid-Until has passed
    WRONG_SUITE = "wrong-suite"
    INFO_CHANGED = "info-changed"
    SIGNERS_CHANGED = "signers-changed"
    CLOCK_BEHIND = "clock-behind"  # our own clock stands before a Date that we accepted
    # The verifying machinery itself.
    VERIFIERS_DISAGREE = "verifiers-disagree"
    VERIFIER_FAILED = "verifier-failed"  # gpgv is missing, hangs or says nothing


@dataclass(frozen=True, slots=True)
class Refused:
    """A no, or an alarm beside a yes.

    `evidence` is one sentence for a tired person: what was seen, which key or date, what to do.
    It is visible ASCII on one line, so it may go into logs and headers (threat 42).
    """

    reason: Reason
    evidence: str


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signed. Fingerprints are upper-case hexadecimal, as gpg prints them."""

    fingerprint: str
    """Of the primary key or subkey that made the signature."""
    primary: str
    """Of the certificate's primary key: what an administrator pins."""
    created: int
    """When the signature was made, epoch seconds."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes that at least one good key vouches for, and no known key disowns."""

    release: bytes
    """Exactly the payload that the signatures cover: the text of the Release."""
    signers: tuple[Signer, ...]
    """At least one, in the order of their signatures."""
    alarms: tuple[Refused, ...] = ()
    """What is worth telling although accepted, for example an unknown second signature."""


def printable(text: str, length_max: int = 120) -> str:
    """`text` as it may stand in evidence: visible ASCII on one line, cut at `length_max` characters."""
    cleaned = "".join(c if " " <= c <= "~" else "?" for c in text[: length_max + 1])
    return cleaned if len(cleaned) <= length_max else cleaned[: length_max - 3] + "..."


def utc(at: int) -> str:
    """Epoch seconds as people and logs read them; a number that is no date stays a number."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at} s"
