"""Counts attempts to connect to a place that does not answer, on the wire: packet(7) with a filter in the kernel."""

import contextlib
import ctypes
import socket
import struct
import threading

from tests.lab.room import Place

PACKET_BYTES_MAX = 128
JOIN_TIMEOUT_S = 5.0
POLL_S = 0.2
ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
OUTGOING = 4  # loopback shows each packet on its way out, too
LOAD_HALF, LOAD_BYTE, LOAD_WORD, EQUAL, AND, RETURN = 0x28, 0x30, 0x20, 0x15, 0x54, 0x06


class SynCounter:
    """How many connections were tried to a place, since it was made; a SYN that is sent again counts once."""

    def __init__(self, place: Place) -> None:
        self._seen: set[bytes] = set()
        self._over = threading.Event()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        _attach(self._socket, _syn_to(place))
        self._socket.bind(("lo", 0))
        self._socket.settimeout(POLL_S)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """So many so far."""
        return len(self._seen)

    def close(self) -> None:
        """Stop counting."""
        self._over.set()
        self._thread.join(JOIN_TIMEOUT_S)
        self._socket.close()

    def _run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                packet, address = self._socket.recvfrom(PACKET_BYTES_MAX)
                if address[2] != OUTGOING:
                    self._seen.add(packet[34:36] + packet[38:42])  # source port and sequence number


def _syn_to(place: Place) -> list[tuple[int, int, int]]:
    """A filter (code, argument; jumps are to the end) that accepts a SYN to this address over Ethernet's framing."""
    address = int.from_bytes(socket.inet_aton(place.host), "big")
    tests = [
        (LOAD_HALF, 12, 0x0800),  # IPv4
        (LOAD_BYTE, 23, socket.IPPROTO_TCP),
        (LOAD_WORD, 30, address),
        (LOAD_HALF, 36, place.port),  # no options in the head: nobody here sends any
    ]
    program = [step for load, at, value in tests for step in ((load, 0, at), (EQUAL, -1, value))]
    program += [(LOAD_BYTE, 0, 47), (AND, 0, 0x12), (EQUAL, -1, 0x02)]  # SYN without ACK
    return [*program, (RETURN, 0, 0xFFFF), (RETURN, 0, 0)]


def _attach(listener: socket.socket, program: list[tuple[int, int, int]]) -> None:
    last = len(program) - 1
    packed = b"".join(
        struct.pack("HBBI", code, 0, last - at - 1 if jump else 0, argument)
        for at, (code, jump, argument) in enumerate(program)
    )
    held = ctypes.create_string_buffer(packed)
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(held)))
