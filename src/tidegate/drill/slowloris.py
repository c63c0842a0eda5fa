"""Clients that hold a gateway's connections and never finish a request (threat 19)."""

import contextlib
import socket
import threading

BEAT_S = 0.5
CONNECT_TIMEOUT_S = 2.0
JOIN_TIMEOUT_S = 10.0


class Slowloris:
    """So many connections, each with a head that goes on and on; one that is closed is opened again. `close` it."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._count = connections
        self._over = threading.Event()
        self.opened = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all of them."""
        self._over.set()
        self._thread.join(JOIN_TIMEOUT_S)

    def _run(self) -> None:
        held: list[socket.socket] = []
        while not self._over.is_set():
            while len(held) < self._count and not self._over.is_set():
                with contextlib.suppress(OSError):
                    connection = socket.create_connection(("127.0.0.1", self._port), CONNECT_TIMEOUT_S)
                    held.append(connection)
                    self.opened += 1
                    connection.sendall(b"GET /slow HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
                    continue
                break
            held = [one for one in held if _goes_on(one)]
            self._over.wait(BEAT_S)
        for one in held:
            one.close()


def _goes_on(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
    except OSError:
        connection.close()
        return False
    return True
