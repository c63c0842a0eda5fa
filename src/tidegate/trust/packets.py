"""OpenPGP's outer layers, read strictly and bounded before any library sees them: armor and packet headers.

What reaches the OpenPGP library afterwards is a short list of packets of the kinds we expect, each with a
definite length. So nothing is decompressed, decrypted or recursed into by accident (threat 4). Nothing here
judges a signature. Source: RFC 9580 (4.2 packet headers, 6 armor) and RFC 4880.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

ARMOR_HEADER_LINES_MAX = 16
ARMOR_HEADER_NAMES = (b"Version: ", b"Comment: ", b"Hash: ", b"Charset: ", b"MessageID: ")


class Tag(IntEnum):
    """The packet kinds that certificates and signatures are made of (RFC 9580, 5)."""

    SIGNATURE = 2
    SECRET_KEY = 5
    PUBLIC_KEY = 6
    SECRET_SUBKEY = 7
    MARKER = 10
    TRUST = 12
    USER_ID = 13
    PUBLIC_SUBKEY = 14
    USER_ATTRIBUTE = 17
    PADDING = 21


class PacketError(ValueError):
    """Bytes that are no armor or no sequence of whole packets; says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: `raw` with its header, `body` without."""

    tag: int
    raw: bytes
    body: bytes


def dearmor(block: bytes, kind: bytes) -> bytes:
    """The bytes inside one armored block, which must be all of `block`; `kind` is for example `SIGNATURE`.

    The checksum line may be there and is not compared: RFC 9580, 6.1 has it ignored, and it protects nothing.
    Raises PacketError.
    """
    lines = block.split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    if lines[:1] != [b"-----BEGIN PGP " + kind + b"-----"]:
        raise PacketError("the armor does not begin as it should")
    if lines[-1] != b"-----END PGP " + kind + b"-----":
        raise PacketError("the armor does not end as it should")
    inner = lines[1:-1]
    if b"" not in inner[: ARMOR_HEADER_LINES_MAX + 1]:
        raise PacketError("no blank line after the armor's headers")
    blank = inner.index(b"")
    if not all(_is_armor_header(line) for line in inner[:blank]):
        raise PacketError("an armor header that does not belong there")
    data = inner[blank + 1 :]
    if data and data[-1].startswith(b"=") and len(data[-1]) == len(b"=AAAA"):
        data.pop()
    try:
        return b64decode(b"".join(data), validate=True)
    except Base64Error as error:
        raise PacketError(f"the armor is not base64: {error}") from None


def packets(data: bytes, *, count_max: int) -> Iterator[Packet]:
    """The packets of `data` in order; raises PacketError at the first that is not whole.

    Partial and indeterminate lengths are refused: they exist for streams, and neither keys nor signatures
    have them. So is more than `count_max` packets.
    """
    at = 0
    count = 0
    while at < len(data):
        count += 1
        if count > count_max:
            raise PacketError(f"more than {count_max} packets")
        tag, start, length = _header(data, at)
        end = start + length
        if end > len(data):
            raise PacketError(f"the packet at byte {at} is cut off")
        yield Packet(tag, data[at:end], data[start:end])
        at = end


def _is_armor_header(line: bytes) -> bool:
    return line.startswith(ARMOR_HEADER_NAMES) and all(0x20 <= byte != 0x7F for byte in line)


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """(tag, where the body starts, its length) of the packet at `at`; RFC 9580, 4.2."""
    first = data[at]
    if not first & 0x80:
        raise PacketError(f"no packet at byte {at}")
    field = data[at + 1 : at + 6]
    if first & 0x40:
        tag, (octets, length) = first & 0x3F, _new_length(field, at)
    else:
        tag, (octets, length) = (first >> 2) & 0x0F, _old_length(field, first & 3, at)
    if length < 0:
        raise PacketError(f"the packet at byte {at} is cut off")
    return tag, at + 1 + octets, length


def _new_length(field: bytes, at: int) -> tuple[int, int]:
    """(octets of the length itself, length); the length is -1 where the field is cut off."""
    match field[:1]:
        case b"":
            return 0, -1
        case b"\xff":
            return 5, _number(field[1:5], 4)
        case first if first[0] < 192:
            return 1, first[0]
        case first if first[0] < 224:
            return 2, ((first[0] - 192) << 8) + field[1] + 192 if len(field) > 1 else -1
    raise PacketError(f"the packet at byte {at} comes in parts")


def _old_length(field: bytes, kind: int, at: int) -> tuple[int, int]:
    """The same for RFC 4880's old format, where two bits of the first byte say how long the length is."""
    if kind == 3:
        raise PacketError(f"the packet at byte {at} has no length")
    octets = 1 << kind
    return octets, _number(field[:octets], octets)


def _number(field: bytes, octets: int) -> int:
    return int.from_bytes(field, "big") if len(field) == octets else -1
