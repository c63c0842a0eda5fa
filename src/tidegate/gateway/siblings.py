"""Several workers over one store: a connection goes to whoever owns what it asks for.

A miss must fly once, not once per worker. So the worker that a digest belongs to gets the client itself: its socket,
as a descriptor (SCM_RIGHTS), with the bytes it has sent so far. From then on the client is that worker's.
"""

import array
import os
import socket

from tidegate.gateway.connection import Connection

HANDED_BYTES_MAX = 65_536
"""More than a connection ever holds back: one head (`gateway.request_head_bytes_max`) and one read."""


class Siblings:
    """The other workers over one store: connections are handed to whoever owns what they ask for (SCM_RIGHTS)."""

    def __init__(self, mine: int, inbox: socket.socket, outboxes: list[socket.socket]) -> None:
        """Sockets are AF_UNIX, SOCK_SEQPACKET and non-blocking; `outboxes[n]` reaches worker n."""
        self.mine = mine
        self.count = len(outboxes)
        self.inbox = inbox
        self._outboxes = outboxes
        self.handed = 0

    def owner(self, digest: bytes) -> int:
        """Which worker flies this digest: one flight across all of them."""
        return int.from_bytes(digest[:4], "big") % self.count

    def hand_over(self, worker: int, connection: Connection, received: bytes) -> bool:
        """Give a client to another worker, with what it has sent so far.

        False where it cannot go now, because that worker has not yet taken what was handed to it before: the client
        is ours as it was. What is handed to a worker that has died waits for its successor.
        """
        peer = connection.peer.encode()
        message = bytes([len(peer)]) + peer + received
        rights = array.array("i", [connection.sock.fileno()])
        try:
            self._outboxes[worker].sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError:
            return False
        connection.leave().close()  # unregistered before it is closed: the description lives on in the other process
        self.handed += 1
        return True

    def receive(self) -> list[tuple[socket.socket, str, bytes]]:
        """Clients that were handed to us: their sockets, addresses and first bytes."""
        clients: list[tuple[socket.socket, str, bytes]] = []
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(self.inbox, HANDED_BYTES_MAX, 1)
            except OSError:
                return clients
            if not message:
                return clients
            length = message[0]
            for fd in descriptors:
                os.set_inheritable(fd, False)
                clients.append((socket.socket(fileno=fd), message[1 : 1 + length].decode(), message[1 + length :]))
