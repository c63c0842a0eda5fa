"""Which directories on this host: state (marks, journal) and cache (blobs, catalogue)."""

from collections.abc import Mapping
from pathlib import Path

from tidegate.store.settings import StoreSettings

SYSTEM_STATE = Path("/var/lib/tidegate")


def state_directory(store: StoreSettings, environment: Mapping[str, str], *, uid: int) -> Path:
    """The setting; else systemd's $STATE_DIRECTORY, /var/lib/tidegate for root, the user's own (XDG)."""
    if store.state:
        return Path(store.state)
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if uid == 0:
        return SYSTEM_STATE
    home = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME") or "/") / ".local/state")
    return Path(home) / "tidegate"


def cache_directory(store: StoreSettings, state: Path) -> Path:
    """The setting; else `cache` below the state."""
    return Path(store.cache) if store.cache else state / "cache"
