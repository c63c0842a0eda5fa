"""`python -m tidegate.cli.clocked FILE …`: tidegate with its wall clock off by the seconds that a file says.

The file is read when it changed, at most every LOOK_EVERY_S. Only the wall clock is moved: that is the one that a
stepped clock moves.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time

LOOK_EVERY_S = 0.05
PR_SET_PDEATHSIG = 1


def move_clock(path: str) -> None:
    """From now on `time.time` of this process goes by the file. To be called before anything keeps the function."""
    real, monotonic = time.time, time.monotonic
    looked_at, changed_at, by_s = 0.0, 0, 0.0

    def moved() -> float:
        nonlocal looked_at, changed_at, by_s
        now = monotonic()
        if now - looked_at > LOOK_EVERY_S:
            looked_at = now
            with contextlib.suppress(OSError, ValueError):
                stamp = os.stat(path).st_mtime_ns  # noqa: PTH116  (asked for every clock reading)
                if stamp != changed_at:
                    with open(path) as file:  # noqa: PTH123  (the same)
                        by_s = float(file.read())
                    changed_at = stamp
        return real() + by_s

    time.time = moved


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # a drill that is killed leaves no gateway behind
    move_clock(sys.argv[1])
    sys.argv[:2] = ["tidegate"]
    from tidegate.cli import main

    main()
