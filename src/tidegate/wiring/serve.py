"""`tidegate serve`: one process, or a supervisor with several workers, until it is told to stop.

    SIGTERM, SIGINT   answers under way go out (5 s at most), then the end
    SIGHUP            settings are read anew; nothing is dropped

With several workers each has its own listening socket on the one address (SO_REUSEPORT), made by the supervisor, which
keeps them all: what a worker that died had in its backlog waits there for its successor.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import uvloop

from tidegate import __version__
from tidegate.config import ConfigError, Gathered
from tidegate.drill.board import Board
from tidegate.gateway.siblings import Siblings
from tidegate.sources.outages import Outages
from tidegate.web.report import RunningReport
from tidegate.wiring.archives import archives_of
from tidegate.wiring.chronicle import Chronicle, shorten_for_ever
from tidegate.wiring.desk_process import DeskProcess, is_wanted
from tidegate.wiring.drilling import Drilling, Leading
from tidegate.wiring.listening import listen_on, notify, shown
from tidegate.wiring.news import News, Tell
from tidegate.wiring.store import Store, layout_of, open_store
from tidegate.wiring.tallies import Counting, Tallies
from tidegate.wiring.view import RunningView, write_running
from tidegate.wiring.worker import Place, Worker

PR_SET_PDEATHSIG = 1
RESPAWN_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Program:
    """What serving starts from. `gather` reads the settings anew (SIGHUP)."""

    gathered: Gathered
    gather: Callable[[], Gathered]
    environment: Mapping[str, str]
    tell: Tell


@dataclass(frozen=True, slots=True)
class Doors:
    """Where others than apt come in: the admin port, and the face towards hosts, where there is one."""

    admin: socket.socket
    face: socket.socket | None = None


def serve(program: Program) -> int:
    """Serve until a signal; returns the exit status. Raises OSError, StoreBusyError, sqlite3.Error."""
    settings = program.gathered.settings
    layout = layout_of(settings.store, program.environment, uid=os.getuid())
    layout.make()
    lock = layout.lock()
    try:
        for full in layout.make_room():
            text = f"{full}: the disk is full; what is held is served, but nothing more can be kept"
            program.tell(News("warning", "full", text))
        count = settings.gateway.workers
        listeners = [listen_on(settings.gateway.listen, shared=count > 1)]
        # A port of 0 is chosen by the first; the others join it.
        host, port = listeners[0].getsockname()[:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        listeners += [listen_on(where, shared=True) for _ in range(count - 1)]
        face = listen_on(settings.fleet.listen) if settings.fleet.listen else None
        doors = Doors(listen_on(settings.admin.listen), face)
        if count == 1:
            return _work(program, Place(listeners[0]), doors, Tallies(1))
        return _supervise(program, listeners, doors)
    finally:
        os.close(lock)


def _work(program: Program, place: Place, doors: Doors, tallies: Tallies) -> int:
    store = open_store(layout_of(program.gathered.settings.store, program.environment, uid=os.getuid()))
    try:
        return uvloop.run(_run(program, store, place, doors, tallies))
    finally:
        store.close()


async def _run(program: Program, store: Store, place: Place, doors: Doors, tallies: Tallies) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings, tell = program.gathered.settings, program.tell
    archives, notes = archives_of(settings.archive)
    worker = Worker(settings, archives, store, place, tell)
    worker.start()
    counting = Counting(worker, tallies, place.siblings.mine if place.siblings else 0)
    counting.start()
    running = _running(place, doors.admin, settings.gateway.workers)
    view = RunningView(worker, running, (*program.gathered.notes, *notes), counting)
    desk = DeskProcess(lambda: worker.settings, store.layout, doors.face, tell)
    loop.add_signal_handler(signal.SIGHUP, _reload, program, worker, view, desk)
    if not place.keeps:
        await stop.wait()
        await worker.stop()
        return 0
    _greet(tell, view, worker)
    # Imported only now, and beside the loop: the first hit does not wait for the admin port.
    await asyncio.to_thread(_import_admin)
    write_running(store.layout, view.running)
    worker.journal.note(
        "started", "gateway", version=__version__, listen=view.running.listen, offline=settings.fetch.offline
    )
    from tidegate.web.app import make_app, make_control
    from tidegate.web.forwarding import Desk
    from tidegate.web.serving import Serving, control_socket

    hosts = tuple(name.lower() for name in settings.admin.hosts)
    far = Desk(store.layout.desk, desk.start)
    ends = [
        Serving(make_app(view, hosts, far.get, far.note), doors.admin),
        Serving(make_control(view), control_socket(store.layout.control)),
    ]
    chronicling = _chronicling(worker, counting, view, Leading(place.board, desk.play))
    if is_wanted(settings, store.layout):
        desk.start()
    notify("READY=1")
    await stop.wait()
    notify("STOPPING=1")
    tell(News("info", "stopping", "stopping: answers under way go out first"))
    await desk.stop()
    for end in ends:
        await end.stop()
    for task in chronicling:
        task.cancel()
    await worker.stop()
    store.layout.running.unlink(missing_ok=True)
    store.layout.control.unlink(missing_ok=True)
    return 0


def _chronicling(worker: Worker, counting: Counting, view: RunningView, leading: Leading) -> list[asyncio.Task[None]]:
    """What writes into the journal beside the worker itself."""
    loop, journal = asyncio.get_running_loop(), worker.store.journal
    chronicle = Chronicle(
        worker.journal,
        counting.sum,
        lambda: worker.stocktaking.last,
        view.readiness,
        lambda: worker.settings.journal.served_interval_s,
    )
    worker.solitude.told.append(lambda *_: chronicle.note_served())
    view.drilling = Drilling(worker, leading, counting.sum, view.readiness, chronicle.note_served)
    worker.answered.append(chronicle.note_end)
    events = partial(journal.last, 1, kinds=("readiness",))
    shortening = shorten_for_ever(journal, lambda: worker.settings.journal, worker.folding.needed_from)
    return [loop.create_task(chronicle.run(events)), loop.create_task(shortening)]


def _running(place: Place, admin: socket.socket, workers: int) -> RunningReport:
    return RunningReport(
        pid=os.getpid(),
        version=__version__,
        listen=shown(place.listener),
        admin=shown(admin),
        since=int(time.time()),
        workers=workers,
    )


def _import_admin() -> None:
    import tidegate.web.app
    import tidegate.web.serving  # noqa: F401  (imported again where it is used, at no cost)


def _greet(tell: Tell, view: RunningView, worker: Worker) -> None:
    listen = view.running.listen
    tell(News("info", "listening", f"listening on {listen}; status and health on {view.running.admin}"))
    for archive in worker.archives.values():
        suites = " ".join(archive.suites) or "(suites on request)"
        what = f"{suites} / {' '.join(archive.components) or 'all components'} / {' '.join(archive.architectures)}"
        tell(News("info", "archive", f"{archive.name}: {what}; {len(archive.sources)} source(s)"))
    for text in view.status().notes:
        tell(News("warning", "note", text))
    line = f'Acquire::http::Proxy "http://{listen}";'
    tell(News("info", "client", f"point an apt at it:  echo '{line}' > /etc/apt/apt.conf.d/30tidegate"))


def _reload(program: Program, worker: Worker, view: RunningView, desk: DeskProcess) -> None:
    try:
        gathered = program.gather()
    except ConfigError as error:
        program.tell(News("error", "reload", f"the settings stay as they were: {error}"))
        return
    archives, notes = archives_of(gathered.settings.archive)
    worker.reconfigure(gathered.settings, archives)
    desk.reconfigure()
    if is_wanted(gathered.settings, worker.store.layout):
        desk.start()
    view.notes = (*gathered.notes, *notes)
    fixed = (
        "gateway.listen",
        "gateway.workers",
        "admin.listen",
        "fleet.listen",
        "store",
        "trust.verifier",
        "fetch.offline",
    )
    program.tell(News("info", "reload", f"settings are read anew ({', '.join(fixed)} count from the next start)"))


# Several workers


def _supervise(program: Program, listeners: list[socket.socket], doors: Doors) -> int:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in listeners]
    for one, other in pairs:
        one.setblocking(False)
        other.setblocking(False)
    outboxes = [one for one, _ in pairs]
    tallies, board, outages = Tallies(len(listeners)), Board(), Outages(len(listeners))
    children: dict[int, int] = {}
    stopping = False

    def forward(number: int, _: object) -> None:
        nonlocal stopping
        stopping = stopping or number != signal.SIGHUP
        for pid in children:
            os.kill(pid, number)

    def spawn(mine: int) -> None:
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            for index, listener in enumerate(listeners):
                if index != mine:
                    listener.close()
            status = 70  # EX_SOFTWARE, unless it ends well
            try:
                place = Place(listeners[mine], Siblings(mine, pairs[mine][1], outboxes), board=board, outages=outages)
                status = _work(program, place, doors, tallies)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        children[pid] = mine

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    # Made once, before there are several that would make it.
    open_store(layout_of(program.gathered.settings.store, program.environment, uid=os.getuid())).close()
    for mine in range(len(listeners)):
        spawn(mine)
    worst = 0
    while children:
        pid, status = os.wait()
        mine = children.pop(pid)
        if not stopping:
            program.tell(
                News(
                    "error",
                    "worker",
                    f"worker {mine} ended ({os.waitstatus_to_exitcode(status)}); another takes its place",
                )
            )
            time.sleep(RESPAWN_PAUSE_S)
            spawn(mine)
        else:
            worst = max(worst, abs(os.waitstatus_to_exitcode(status)))
    return worst
