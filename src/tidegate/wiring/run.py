"""`tidegate run -- COMMAND`: a private gateway for as long as a command runs."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from msgspec.structs import replace

from tidegate.config import Gathered
from tidegate.store.layout import Layout
from tidegate.web.report import RunReport
from tidegate.web.source_report import sources_of
from tidegate.wiring import apt_conf
from tidegate.wiring.archives import archives_of
from tidegate.wiring.listening import listen_on
from tidegate.wiring.news import Tell
from tidegate.wiring.store import Store, open_store
from tidegate.wiring.worker import Place, Worker

REFUSALS_TOLD_MAX = 20


@dataclass(frozen=True, slots=True)
class Errand:
    """What is run: the command, where the cache is kept (None: nowhere), and how to tell news."""

    command: Sequence[str]
    gathered: Gathered
    cache: Path | None
    environment: Mapping[str, str]
    tell: Tell


def run(errand: Errand) -> RunReport:
    """Run the command to its end. Raises OSError where it cannot be started, StoreBusyError, sqlite3.Error."""
    scratch = Path(tempfile.mkdtemp(prefix="tidegate-run-"))
    try:
        state = errand.cache or scratch / "state"
        layout = Layout(state, state / "cache")
        layout.make()
        lock = layout.lock()
        store = open_store(layout)
        try:
            return uvloop.run(_run(errand, scratch, store))
        finally:
            store.close()
            os.close(lock)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def _run(errand: Errand, scratch: Path, store: Store) -> RunReport:

    listener = listen_on("127.0.0.1:0")
    archives, _ = archives_of(errand.gathered.settings.archive)
    gateway = replace(errand.gathered.settings.gateway, access_log=False)
    settings = replace(errand.gathered.settings, gateway=gateway)
    # The store tells seconds: what was confirmed within this one may have been confirmed before us.
    place = Place(listener, fresh_since=int(time.time()) + 1)
    worker = Worker(settings, archives, store, place, errand.tell)
    refused: dict[str, None] = {}
    worker.gateway.access.on_refusal = lambda line, why: refused.setdefault(f"{line}: {why}"[:300])
    worker.start(keep=False)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    conf = apt_conf.write(scratch, url, errand.environment.get("APT_CONFIG"))
    environment = {**errand.environment, "APT_CONFIG": str(conf), "TIDEGATE_PROXY": url}
    try:
        exit_code = await _to_the_end(errand.command, environment)
    finally:
        await worker.stop()
        listener.close()
    sources = sources_of(archives.values(), worker.fetching.health, time.time())
    fetched = sum(one.fetched_bytes for one in sources)
    access = worker.gateway.access
    return RunReport(
        exit_code=exit_code,
        answers=dict(access.by_how),
        answered_bytes=access.bytes,
        sources=sources,
        fetched_bytes=fetched,
        saved_bytes=max(0, access.bytes - fetched),
        refused=tuple(refused)[:REFUSALS_TOLD_MAX],
    )


async def _to_the_end(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command on our own terminal; signals that ask us to end are its to answer. Returns a shell's exit code."""
    loop = asyncio.get_running_loop()
    child = await asyncio.create_subprocess_exec(*command, env=environment)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal sends it to the command as well
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, child.send_signal, number)
    code = await child.wait()
    return 128 - code if code < 0 else code
