"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.server import (
    BACKLOG,
    CLIENT_TIMEOUT_S,
    DEFAULT_PORTS,
    HEAD_BYTES_MAX,
    JOIN_TIMEOUT_S,
    PLUG_TIMEOUT_S,
    THREADS_SWEEP,
    WAIT_TIMEOUT_S,
    ActiveFault,
    SourceServer,
    Where,
)

__all__ = [
    "BACKLOG",
    "CLIENT_TIMEOUT_S",
    "DEFAULT_PORTS",
    "HEAD_BYTES_MAX",
    "JOIN_TIMEOUT_S",
    "PLUG_TIMEOUT_S",
    "THREADS_SWEEP",
    "WAIT_TIMEOUT_S",
    "ActiveFault",
    "SourceServer",
    "Where",
]
