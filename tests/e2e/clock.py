"""A clock that processes can be given, and that jumps: faketime(1). What they measure time spans by goes on as ever."""

from collections.abc import Mapping
from pathlib import Path

LIBRARY = "*/faketime/libfaketimeMT.so.1"


class Clock:
    """Ahead of the true one by some seconds, for every process that is given its environment, at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.ahead_s = 0
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """Go on by so much."""
        self.ahead_s += seconds
        new = self._file.with_suffix(".new")
        new.write_text(f"+{self.ahead_s}\n")
        new.replace(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process goes by this clock with."""
        (library,) = Path("/usr/lib").glob(LIBRARY)
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # its older name
            "NO_FAKE_STAT": "1",
        }
