"""The simulator is the drill room's; here under the name that tests know."""

from tidegate.drill.simulator.debs import (
    EPOCH,
    FILLING_BLOCK_BYTES,
    File,
    SourceSet,
    file_facts,
    filling,
    fresh_file,
    source_checksums,
    stanza,
    write_deb,
    write_source,
)

__all__ = [
    "EPOCH",
    "FILLING_BLOCK_BYTES",
    "File",
    "SourceSet",
    "file_facts",
    "filling",
    "fresh_file",
    "source_checksums",
    "stanza",
    "write_deb",
    "write_source",
]
