"""What the desk serves: its socket, for commands and for the admin port; and the face towards the fleet."""

from starlette.applications import Starlette

from tidegate.web.exposure_control import ExposureView, exposure_routes
from tidegate.web.fleet_control import FleetView, fleet_routes
from tidegate.web.fleet_intake import IntakeView, intake_routes


def make_desk_control(exposure: ExposureView, fleet: FleetView) -> Starlette:
    """The application of the desk's socket: whoever may open that file may ask."""
    return Starlette(routes=[*exposure_routes(exposure), *fleet_routes(fleet)])


def make_face(intake: IntakeView) -> Starlette:
    """What hosts see (`fleet.listen`): they report, and read nothing about each other."""
    return Starlette(routes=[*intake_routes(intake)])
