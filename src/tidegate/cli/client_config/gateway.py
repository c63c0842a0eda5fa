"""What the forms have in common: where the gateway is, and a file on a client."""

import re
from dataclasses import dataclass

MARKER = "Written by `tidegate client-config`"
"""In each of our files, so that nothing else is overwritten or removed."""

_HOST = re.compile(r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])$")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where clients reach it. An IPv6 address stands in brackets."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Without a closing slash."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClientFile:
    """A file on the client; `path` is below its root, without a leading slash."""

    path: str
    mode: int
    content: str


def gateway_at(text: str) -> Gateway:
    """`HOST:PORT` as a gateway. Raises ValueError for anything else: it ends up in a shell script."""
    host, _, port = text.rpartition(":")
    if not (_HOST.match(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"{text!r} is not HOST:PORT")
    return Gateway(host, int(port))
