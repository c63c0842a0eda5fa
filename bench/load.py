"""Steady load by wrk: one thread, the same sequence of requests for every peer, nothing pinned.

The generator and the servers share the machine's cores, so nothing is pinned for anybody; the share of
a core that the server took is measured beside every figure, to show where the generator was the limit.
"""

import bisect
import itertools
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers import Door, Running
from bench.process import BenchError, cpu_s, run, trim

ZIPF_EXPONENT = 1.0
SEQUENCE_LENGTH = 50_000
SEQUENCE_SEED = 20_240_901
RATE_BY_BYTES = 1 << 20
SETTLE_S = 0.1  # for the peer before to close its connections

_HOT = 'wrk.path = "{target}"\n'
_SPREAD = """\
local requests, count, at = {{}}, 0, 0
function init(args)
  for target in io.lines("{file}") do count = count + 1; requests[count] = wrk.format("GET", target) end
end
function request()
  at = at % count + 1
  return requests[at]
end
"""
_COMMON = """\
wrk.headers["Host"] = "{host}"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {{"requests": %d, "bytes": %d, "seconds": %f, "broken": %d, "refused": %d, "late": %d, "p99_us": %f}}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6, e.connect + e.read + e.write, e.status,
    e.timeout, latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is loaded: which door of which peer, by which script, and how large each answer is in bytes."""

    peer: Running
    door: Door
    script: Path
    connections: int
    size: int


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw, and what it cost the server (None: not ours to watch, or no whole answer)."""

    requests_per_s: float
    bytes_per_s: float
    p99_ms: float | None
    cpu_per_request_us: float | None
    busy: float | None


def zipf(paths: Sequence[str]) -> tuple[str, ...]:
    """A sequence over all paths, the n-th as often as 1/n^`ZIPF_EXPONENT`: what a fleet's demand is like.

    Each path comes at least once, so that "distinct" is no figure of speech.
    """
    chance = random.Random(SEQUENCE_SEED)
    ranked = list(paths)
    chance.shuffle(ranked)
    weights = itertools.accumulate(1 / rank**ZIPF_EXPONENT for rank in range(1, len(ranked) + 1))
    bounds = list(weights)
    picks = (bisect.bisect(bounds, chance.random() * bounds[-1]) for _ in range(SEQUENCE_LENGTH))
    sequence = [*ranked, *(ranked[min(pick, len(ranked) - 1)] for pick in picks)]
    chance.shuffle(sequence)
    return tuple(sequence)


def write_script(door: Door, paths: Sequence[str], where: Path) -> Path:
    """A wrk script that asks `door` for one path over and over, or for a sequence in its order."""
    where.mkdir(parents=True, exist_ok=True)
    script = where / "load.lua"
    if len(paths) == 1:
        body = _HOT.format(target=door.target(paths[0]))
    else:
        file = where / "targets"
        file.write_text("".join(f"{door.target(path)}\n" for path in paths))
        body = _SPREAD.format(file=file)
    script.write_text(_COMMON.format(host=door.authority) + body)
    return script


def load(aim: Aim, seconds: int) -> Load:
    """Load for a while. BenchError when any answer was an error or short, or none came.

    For bodies of many megabytes whole requests are too few to count in a few seconds: rates are
    reckoned from bytes, which for small bodies comes to the same.
    """
    time.sleep(SETTLE_S)
    for log in aim.peer.logs:
        trim(log)
    pid = None if aim.peer.server is None else aim.peer.server.pid
    before, began = (0.0 if pid is None else cpu_s(pid)), time.perf_counter()
    seen = _wrk(aim, seconds)
    took = time.perf_counter() - began
    spent = None if pid is None else cpu_s(pid) - before
    whole, carried_bytes = seen["requests"], seen["bytes"]
    carried = carried_bytes / aim.size if aim.size >= RATE_BY_BYTES else whole
    if not carried or carried_bytes < whole * aim.size:
        raise BenchError(f"{aim.door.name}: {whole:.0f} answers in {carried_bytes:.0f} bytes, too few")
    return Load(
        requests_per_s=carried / seen["seconds"],
        bytes_per_s=carried_bytes / seen["seconds"],
        p99_ms=seen["p99_us"] / 1e3 if whole else None,
        cpu_per_request_us=None if spent is None else spent / carried * 1e6,
        busy=None if spent is None else spent / took,
    )


def _wrk(aim: Aim, seconds: int) -> dict[str, float]:
    url = f"http://{aim.door.host}:{aim.door.port}/"
    load_for = ["-t1", f"-c{aim.connections}", f"-d{seconds}s", "--timeout", "30s"]
    printed = run(["wrk", *load_for, "-s", str(aim.script), url])
    seen: dict[str, float] = json.loads(printed.rpartition("BENCH ")[2])
    if seen["broken"] or seen["refused"]:
        raise BenchError(f"{aim.door.name}: {seen['broken']:.0f} broken and {seen['refused']:.0f} refused answers")
    return seen
