"""Pages served on loopback in this process: the real routes, journal and fold; what a gateway would say is made up."""

import asyncio
import socket
import threading
import time
from pathlib import Path

from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.middleware import Middleware

from tidegate.config import Settings
from tidegate.fleet.verdict import Exposure
from tidegate.holding.readiness import ReadinessSummary
from tidegate.holding.stock import Kind, Share
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Happening, Value
from tidegate.store.journal_kinds import objection
from tidegate.store.layout import Layout
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.watch.folder import CopyNote, Kept, WatchFolder
from tidegate.watch.settings import WatchSettings
from tidegate.watch.standing import Standing
from tidegate.watch.watch import Exchange, watches_of
from tidegate.web.alone_report import AloneReport
from tidegate.web.dashboard import dashboard_routes
from tidegate.web.exposure_report import ClassReport, FleetExposureReport
from tidegate.web.host_check import HostCheck
from tidegate.web.pages import style_route
from tidegate.web.report import RunningReport, StatusReport, SuiteReport, TrafficReport
from tidegate.web.serving import Serving
from tidegate.web.source_report import ExclusionReport, SourceReport
from tidegate.web.watch_pages import watch_page_routes
from tidegate.wiring.dashboard import Dashboard
from tidegate.wiring.incidents import Incidents
from tidegate.wiring.observing import Observing
from tidegate.wiring.watches import Watches

READY_TIMEOUT_S = 10.0
MIRROR = "http://mirror-a.example/ubuntu"


def status(now: int, *, words: str = "", alone: bool = True) -> StatusReport:
    """A gateway's status in which much is told; `words` stand wherever it can be somebody else's."""
    return StatusReport(
        at=now,
        ready=True,
        running=RunningReport(
            pid=1, version="0.1.0", listen="127.0.0.1:3142", admin="127.0.0.1:3143", since=now - 3600
        ),
        suites=(
            SuiteReport(
                archive="ubuntu", suite=f"noble{words}", state="served", configured=True, date=now - 9000,
                adopted_at=now - 8000, confirmed_at=now - 700, confirmed_by=("example", f"other{words}"),
                trouble=f"nobody answers{words}", alarm=f"look at this{words}", missing=3,
            ),
            SuiteReport(archive="ubuntu", suite="noble-updates", state="waiting", configured=True),
        ),
        sources=(
            SourceReport(
                archive="ubuntu", url=f"{MIRROR}{words}", kind="mirror", operator=f"example{words}", state="out",
                excluded=(ExclusionReport(of="everything", reason=f"refused{words}", since=now - 600, todo="Wait."),),
                first_byte_ms=1234, rate_bytes_s=5_600_000, behind={"noble": 7200}, last_failure=f"reset{words}",
            ),
            SourceReport(
                archive="ubuntu", url="http://mirror-b.example/ubuntu", kind="mirror", operator="other", state="good",
                rank=1, newest={"noble": now - 5},
            ),
        ),
        alone=(AloneReport(archive="ubuntu", since=now - 600, sources=2, suites=(f"noble{words}",)),) if alone else (),
        traffic=TrafficReport(connections=3, flights=0, bytes=9_000, by_how={"hit": 9}, by_status={"200": 9}),
        readiness=ReadinessSummary(
            counted_at=now, verdict="warning", lacking=3, lacking_bytes=4_000_000,
            shares=tuple(
                Share(kind=kind, wanted=100, held=held, wanted_bytes=1000, held_bytes=900, percent=float(held))
                for kind, held in ((Kind.SECURITY, 100), (Kind.UPDATES, 97), (Kind.INSTALL, 40))
            ),
        ),
        notes=(f"ubuntu hangs on one operator{words}",),
    )  # fmt: skip


def exposure(now: int) -> FleetExposureReport:
    classes = tuple(ClassReport(exposure=one, hosts=n, meaning="so it is") for n, one in enumerate(Exposure))
    return FleetExposureReport(
        at=now, feeds=(), hosts=10, silent=1, not_judged=0, to_do=2, classes=classes, cves=(), cves_total=0
    )


class Stage:
    """From `with` to the end."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.journal = SqliteJournal(directory / "journal.db")
        self.layout = Layout(directory, directory / "cache")
        self.status: StatusReport | None = None
        self.watched: tuple[WatchSettings, ...] = ()
        """Set it, and what is kept of each (`keep`), before `with`."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def note(self, kind: str, subject: str, **data: Value) -> int:
        """An event, written down."""
        assert objection(kind, data) is None, objection(kind, data)
        (seq,) = self.journal.append([Happening(kind, subject, data)])
        return seq

    def noted(self, kind: str, subject: str, **data: Value) -> None:
        """The same, for whoever does not ask which event it became."""
        self.note(kind, subject, **data)

    def trouble(self, words: str = "") -> str:
        """An archive that is alone, told by everybody in the worst words; the incident's id."""
        now = time.time()
        self.note("started", "gateway", version=f"0.1.0{words}", listen="127.0.0.1:3142", offline=False)
        opened = self.note("alone-begun", f"ubuntu{words}", since=now - 600, sources=2)
        incident = f"{time.strftime('%Y%m%d', time.gmtime())}-{opened}"
        self.note("violation", f"{MIRROR}{words}", reason=f"other bytes{words}", digest="00")
        self.note("refused", f"ubuntu noble{words}", source=f"{MIRROR}{words}", reason=f"older than before{words}")
        self.note("incident-note", incident, by=f"me{words}", text=f"we know{words}")
        self.note(
            "claim", incident, claim="C1", said_by=f"a group{words}", url=f"https://boast.example/{words}",
            said_at="2026-04-30", text=f"it was us{words}", attributes_to=f"them{words}", confidence=10,
            status="pending", by="me",
        )  # fmt: skip
        counts: dict[str, Value] = {"how.hit": 90, "how.wait": 5, f"how.{words or 'x'}": 5, "status.200": 100}
        self.note("served", "gateway", since=now - 60, until=now, requests=100, bytes=1000, lacking=2, **counts)
        return incident

    def keep(self, name: str, body: bytes, content_type: str, standing: Standing, words: str = "") -> None:
        """A page is watched that stands so, and of which this is the copy; called before `with`."""
        settings = WatchSettings(name=name, url=f"https://{name}.vendor.example/", contains="x")
        self.watched += (settings,)
        folder, watch = WatchFolder(self.layout.watch), watches_of([settings])[0][name]
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode()
        at = time.time() - 5_000
        one = Exchange(watch.url, b"GET / HTTP/1.1\r\n\r\n", head, 200, {}, body, at)
        size = folder.keep(watch, (one,), rotate=False)
        copy = CopyNote(
            url=watch.url, taken_at=at, content_type=content_type, bytes=len(body), file_bytes=size, digest="00"
        )
        kept = Kept(
            url=watch.url, standing=replace(standing, asked_at=time.time()), copy=copy, before=copy, not_kept=words
        )
        folder.write(name, kept)

    def __enter__(self) -> "Stage":
        self._thread.start()
        assert self._ready.wait(READY_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self.journal.close()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        observing = Observing(lambda: self.status)
        watching = asyncio.create_task(observing.run())

        async def exposed() -> FleetExposureReport:
            return exposure(int(time.time()))

        watches = Watches(Settings(watch=self.watched), self.layout, self.noted, lambda _: None)
        incidents = Incidents(self.journal, IncidentSettings())
        dashboard = Dashboard(self.journal, incidents, observing, exposed, watches.watches)
        check = Middleware(HostCheck, hosts=("localhost",), setting="admin.hosts")
        app = Starlette(
            routes=[*dashboard_routes(dashboard), *watch_page_routes(watches), style_route()], middleware=[check]
        )
        serving = Serving(app, self._socket)
        self._ready.set()
        await self._end.wait()
        watching.cancel()
        watches.close()
        await serving.stop()
