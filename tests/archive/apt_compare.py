"""Compare pairs of versions as apt does: run by the system's Python, since only that has python3-apt.

Reads lines `A B` from standard input, writes -1, 0 or 1 for each.
"""

import sys

import apt_pkg  # type: ignore[import-not-found]  # python3-apt: only the system's Python has it

apt_pkg.init_system()
for line in sys.stdin:
    a, b = line.split()
    order = apt_pkg.version_compare(a, b)
    sys.stdout.write(f"{(order > 0) - (order < 0)}\n")
