"""Two machines that report as one host, as clones of a disc with its machine-id do.

A machine's boot id is new with every start and never comes back. Where it does, with another between, two machines
report in turn; and what is known of the host is now one's, now the other's. Clones that run in one kernel (containers)
have one boot id, and differ in their names.
"""

from collections.abc import Iterable

from tidegate.fleet.inventory import Host

TAG = "two-machines"
"""What such a host is tagged with, until its owner takes the tag away."""
GAP = "two machines report as this host: this is about the one that reported last"
LOOKED_BACK_MAX = 8
"""So many of a host's earlier states are looked at: this many clones are found out."""


def double(new: Host, earlier: Iterable[Host]) -> Host | None:
    """The machine that reported in between, if `new` had reported before it. `earlier`: the newest first."""
    between: Host | None = None
    for number, host in enumerate(earlier):
        if number == LOOKED_BACK_MAX:
            break
        if not host.boot or not new.boot:
            return None
        if _machine(host) != _machine(new):
            between = between or host
        elif between is not None:
            return between
        else:  # the same machine as last time: it is in nobody's turn
            return None
    return None


def _machine(host: Host) -> tuple[str, str]:
    return host.boot, host.name
