"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.suite import (
    HASHES,
    AllStyle,
    Package,
    Source,
    Suite,
    contents_index,
    packages_index,
    release_moment,
    sources_index,
    translation_index,
)

__all__ = [
    "HASHES",
    "AllStyle",
    "Package",
    "Source",
    "Suite",
    "contents_index",
    "packages_index",
    "release_moment",
    "sources_index",
    "translation_index",
]
