"""What the desk serves: its socket, for commands and for the admin port; and the face towards the fleet."""

from starlette.applications import Starlette
from starlette.routing import Mount

from tidegate.web.advisories import advisory_routes
from tidegate.web.advisories_control import AdvisoriesView, advisories_routes
from tidegate.web.advisory_pages import NAME as ADVISORIES_NAME
from tidegate.web.advisory_pages import PATH as ADVISORIES_PATH
from tidegate.web.asking import AdvisoryView
from tidegate.web.dashboard import PATH as DASHBOARD_PATH
from tidegate.web.dashboard import DashboardView, dashboard_routes
from tidegate.web.exposure_control import ExposureView, exposure_routes
from tidegate.web.fleet_control import FleetView, fleet_routes
from tidegate.web.fleet_intake import IntakeView, intake_routes
from tidegate.web.host_check import HostCheck
from tidegate.web.notes import NotesView, note_routes
from tidegate.web.pages import Door
from tidegate.web.watch_control import WatchesView, watch_control_routes
from tidegate.web.watch_pages import watch_page_routes


def make_desk_control(
    exposure: ExposureView,
    fleet: FleetView,
    feeds: AdvisoriesView,
    watches: WatchesView,
    advisories: AdvisoryView,
    dashboard: DashboardView,
    notes: NotesView,
) -> Starlette:
    """The application of the desk's socket: whoever may open that file may ask. The admin port passes on what is read
    (GET), so nothing that changes anything may be a GET."""
    asked = [*exposure_routes(exposure), *fleet_routes(fleet), *advisories_routes(feeds)]
    asked += watch_control_routes(watches)
    doors = [Door(DASHBOARD_PATH, "Dashboard"), Door(ADVISORIES_PATH, ADVISORIES_NAME)]
    pages = [
        *dashboard_routes(dashboard, [Door(ADVISORIES_PATH, ADVISORIES_NAME)]),
        *advisory_routes(advisories, [Door(DASHBOARD_PATH, "Dashboard")]),
    ]
    return Starlette(routes=[*asked, *pages, *watch_page_routes(watches, doors), *note_routes(notes)])


def make_face(intake: IntakeView, advisories: AdvisoryView, hosts: tuple[str, ...]) -> Starlette:
    """What hosts see (`fleet.listen`): they report, and read advisories, and nothing about each other."""
    reading = HostCheck(Starlette(routes=advisory_routes(advisories)), hosts=hosts, setting="fleet.hosts")
    # A report comes by whatever name the gateway has: its token is what no page elsewhere can send.
    return Starlette(routes=[*intake_routes(intake), Mount("/", reading)])
