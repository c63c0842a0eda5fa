"""The fault laboratory: one archive at three sources, of which one fails in every known way, and real clients.

`python -m tests.lab` (`make faults`) measures and writes docs/faults.md. The parts serve any drill: `Stage` is
the three sources with faults that are switched while it runs, `faults.TABLE` the faults, `Trees` what an archive
looks like that is stale, torn or signed by nobody. `tests/e2e/test_failover.py` plays a few of the rows on plain
loopback; the whole table needs a network of its own (`room`).
"""
