"""The parent's side of `ingest`: start the child, hand over jobs, read answers."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tidegate.store.ingest import Job, line_of


class IngestError(Exception):
    """An index could not be taken in: a sentence naming it and why."""


Ingest = Callable[[Sequence[Job]], Awaitable[None]]
"""Takes all jobs in, or raises IngestError; what was taken in before stays."""


def ingest_in_process(catalogue: Path) -> Ingest:
    """Ingest by a child process that opens this SQLite catalogue."""

    async def ingest(jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tidegate.store.ingest",
            str(catalogue),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[job.fd for job in jobs],
        )
        try:
            out, err = await child.communicate(b"".join(line_of(job) for job in jobs))
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
        answers = [json.loads(line) for line in out.splitlines()]
        errors = [answer["error"] for answer in answers if "error" in answer]
        if errors:
            raise IngestError("; ".join(errors))
        if child.returncode or len(answers) != len(jobs):
            tail = err.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise IngestError(f"the ingest process ended with {child.returncode}: {' '.join(tail)}")

    return ingest
