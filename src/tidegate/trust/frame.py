"""What surrounds a signed text: the cleartext frame of an InRelease, and detached signatures.

OpenPGP libraries are generous here. Sequoia's verify of an InRelease accepts text before and after, a second
block and a compressed message; apt has had holes of its own here (CVE-2013-1051, CVE-2016-1252). Each byte
that is served but not signed is an attacker's, so this reads the frame with no generosity at all (threats
3 and 4) and hands on exactly two things: the text, and the signature packets.
"""

from dataclasses import dataclass
from itertools import islice

from tidegate.trust.packets import PacketError, Tag, dearmor, packets
from tidegate.trust.verdict import Reason, Refused, printable

SIGNATURE_BYTES_MAX = 262_144  # of all signatures of one Release together; a real one has 0.1 to 2 kB each
HASH_HEADERS_MAX = 8
HASH_NAMES = frozenset(
    b"MD5 SHA1 RIPEMD160 SHA224 SHA256 SHA384 SHA512 SHA3-256 SHA3-512".split()
)  # what a header may name; whether the digest is good enough is judged from the signature itself

BEGIN_MESSAGE = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n"
END_SIGNATURE = b"-----END PGP SIGNATURE-----"
_UNSEEN = bytes(byte for byte in range(0x20) if byte not in b"\t\n") + b"\x7f"


@dataclass(frozen=True, slots=True)
class Frame:
    """A text and the signatures that claim to cover it; nothing is verified yet."""

    payload: bytes
    signatures: tuple[bytes, ...]
    """Each one signature packet, binary, in the order of the file; at least one."""


def split_clearsigned(raw: bytes, size_max: int, signatures_max: int = 16) -> Frame | Refused:
    """Take an InRelease apart, or say what is wrong with its frame.

    Accepted is what gpg, Sequoia and the archives themselves write and nothing else: the first line opens the
    message, `Hash:` headers or none, a blank line, the text, one armored signature block, the end of the
    file. In the text no line may begin with a dash (a Release has none, so dash-escapes only serve to make
    two readers see two texts), end in blanks (they are not signed) or hold control bytes (CR included).
    """
    if len(raw) > size_max:
        return oversized("InRelease", len(raw), size_max)
    if not raw.startswith(BEGIN_MESSAGE):
        return _not_clearsigned(raw)
    split = raw.find(b"\n" + BEGIN_SIGNATURE)
    if split < 0:
        return _bad_frame("the signed message has no signature block")
    head, blank, payload = raw[len(BEGIN_MESSAGE) - 1 : split].partition(b"\n\n")
    if not blank:
        return _bad_frame("no blank line between the headers and the text")
    problem = _hash_headers_problem(head) or text_problem(payload)
    if problem:
        return _bad_frame(problem)
    armored = raw[split + 1 :]
    if armored.count(b"-----BEGIN ") > 1:
        return _bad_frame("a second block follows the first")
    if not armored.removesuffix(b"\n").endswith(b"\n" + END_SIGNATURE):
        return _bad_frame("something follows the signature block, or it is cut off")
    signatures = split_signatures(armored, signatures_max)
    return signatures if isinstance(signatures, Refused) else Frame(payload, signatures)


def pair_detached(release: bytes, signature: bytes, size_max: int, signatures_max: int = 16) -> Frame | Refused:
    """The same for a Release and its Release.gpg, armored or binary."""
    if len(release) > size_max:
        return oversized("Release", len(release), size_max)
    if not release.strip():
        return Refused(Reason.UNSIGNED, "the Release is empty: the source has a fault, try another")
    problem = text_problem(release, trailing_blanks=True)
    if problem:
        return _bad_frame(problem)
    signatures = split_signatures(signature, signatures_max)
    return signatures if isinstance(signatures, Refused) else Frame(release, signatures)


def split_signatures(blob: bytes, signatures_max: int) -> tuple[bytes, ...] | Refused:
    """The signature packets of an armored block or of bare packets; anything else in it is refused."""
    if len(blob) > SIGNATURE_BYTES_MAX:
        return oversized("signature block", len(blob), SIGNATURE_BYTES_MAX)
    if not blob.strip():
        return Refused(Reason.UNSIGNED, "the signature is empty: the source has a fault, try another")
    if not blob[0] & 0x80 and not blob.startswith(BEGIN_SIGNATURE):
        return Refused(
            Reason.UNSIGNED,
            f"instead of a signature there is {_glimpse(blob)}: a login or error page? try another source",
        )
    try:
        binary = blob if blob[0] & 0x80 else dearmor(blob, b"SIGNATURE")
        found = tuple(islice(packets(binary, count_max=signatures_max + 1), signatures_max + 1))
    except PacketError as error:
        return Refused(Reason.MALFORMED, f"the signature block cannot be read: {error}; try another source")
    if len(found) > signatures_max:
        return _too_many(signatures_max)
    strange = next((packet.tag for packet in found if packet.tag != Tag.SIGNATURE), None)
    if strange is not None:
        return Refused(
            Reason.MALFORMED,
            f"the signature block holds a packet of kind {strange}, which is no signature; try another source",
        )
    if not found:
        return Refused(Reason.UNSIGNED, "the signature block holds no signature; try another source")
    return tuple(packet.raw for packet in found)


def text_problem(text: bytes, *, trailing_blanks: bool = False) -> str | None:
    """What two readers could read in two ways in a Release's text, or None.

    `trailing_blanks` allows them: under a detached signature they are signed like every other byte.
    """
    if text.translate(None, _UNSEEN) != text:
        return "control bytes (a carriage return, for example) in the text"
    if text.startswith(b"-") or b"\n-" in text:
        return "a line of the text begins with a dash"
    if not trailing_blanks and (text.endswith((b" ", b"\t")) or b" \n" in text or b"\t\n" in text):
        return "a line of the text ends in blanks, which no signature covers"
    return None


def oversized(what: str, size: int, size_max: int) -> Refused:
    """For whatever is larger than its limit; sizes in bytes."""
    return Refused(Reason.OVERSIZED, f"the {what} has {size} bytes, {size_max} are allowed; try another source")


def _hash_headers_problem(head: bytes) -> str | None:
    """`head` is the headers, each with the line end *before* it."""
    lines = head.split(b"\n")[1:]
    if len(lines) > HASH_HEADERS_MAX:
        return "too many headers before the text"
    for line in lines:
        names = line.removeprefix(b"Hash: ")
        if names == line or not HASH_NAMES.issuperset(names.replace(b", ", b",").split(b",")):
            return f"before the text stands {_glimpse(line)}, which is no Hash header"
    return None


def _not_clearsigned(raw: bytes) -> Refused:
    if BEGIN_MESSAGE.rstrip() in raw:
        return _bad_frame("something stands before the signed message")
    if not raw.strip():
        return Refused(Reason.UNSIGNED, "the InRelease is empty: the source has a fault, try another")
    return Refused(
        Reason.UNSIGNED,
        f"the InRelease is not signed, it begins with {_glimpse(raw)}: a login or error page? try another source",
    )


def _bad_frame(what: str) -> Refused:
    return Refused(Reason.BAD_FRAME, f"{what}: the file was altered on its way or badly made; try another source")


def _too_many(signatures_max: int) -> Refused:
    return Refused(
        Reason.TOO_MANY_SIGNATURES,
        f"more than {signatures_max} signatures (trust.signatures_max): not looked at; try another source",
    )


def _glimpse(data: bytes) -> str:
    return repr(printable(data.lstrip()[:48].split(b"\n")[0].decode("latin-1")))
