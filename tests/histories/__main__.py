"""Live through histories, many or one: see `tests.histories`."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.histories.history import live
from tests.histories.properties import objections
from tests.histories.script import script
from tests.histories.vendor import Vendor, vendor

BLOCK = 20
FAILURES_TOLD_MAX = 20
_PUBLISHED: list[Vendor] = []


def main(arguments: list[str]) -> int:
    """The exit code: 1 when a history failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="so many histories (default: 300)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="beginning with this one")
    parser.add_argument("--seed", type=int, metavar="SEED", help="only this one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell each history line by line")
    chosen = parser.parse_args(arguments)
    with vendor() as published:
        if chosen.seed is not None:
            return _tell(published, chosen.seed, verbose=chosen.verbose)
        return _many(published, range(chosen.first, chosen.first + chosen.seeds), chosen.jobs)


def _tell(published: Vendor, seed: int, *, verbose: bool) -> int:
    planned = script(seed)
    record = live(published, planned)
    wrong = objections(record, published)
    lines = [*planned.lines(), *(record.lines() if verbose else ())]
    lines += wrong or [f"all is well; {record.digest()}"]
    _say(lines)
    return 1 if wrong else 0


def _many(published: Vendor, seeds: range, jobs: int) -> int:
    begun, failed, asked, answered = time.monotonic(), 0, 0, 0
    blocks = [seeds[start : start + BLOCK] for start in range(0, len(seeds), BLOCK)]
    # Forked, before there is any thread: all of them have what was published.
    with ProcessPoolExecutor(jobs, get_context("fork"), _PUBLISHED.append, (published,)) as pool:
        for found in pool.map(_block, blocks):
            asked, answered = asked + found[1], answered + found[2]
            for seed, wrong in found[0]:
                failed += 1
                if failed <= FAILURES_TOLD_MAX:
                    _say([f"seed {seed}:", *(f"  {one}" for one in wrong[:5])])
    took = time.monotonic() - begun
    _say(
        [
            f"{len(seeds)} histories, {failed} failed; {answered:,} requests of clients, {asked:,} to sources;"
            f" {took:.1f} s on {jobs} processes"
        ]
    )
    if failed:
        _say(["One of them, line by line: python -m tests.histories --seed SEED -v"])
    return 1 if failed else 0


def _block(seeds: Iterable[int]) -> tuple[list[tuple[int, list[str]]], int, int]:
    """The seeds that failed, and how much was asked of sources and by clients."""
    failed, asked, answered = [], 0, 0
    published = _PUBLISHED[0]
    for seed in seeds:
        try:
            record = live(published, script(seed))
            wrong = objections(record, published)
        except Exception:
            failed.append((seed, traceback.format_exc().splitlines()[-5:]))
            continue
        asked, answered = asked + len(record.asked), answered + len(record.answers)
        if wrong:
            failed.append((seed, wrong))
    return failed, asked, answered


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
