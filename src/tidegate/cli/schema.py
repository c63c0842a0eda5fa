"""`tidegate schema COMMAND`: the JSON schema of what `--json` answers."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.render import say, say_json

if TYPE_CHECKING:
    from msgspec import Struct

_REPORTS = {
    "version": "tidegate.cli.reports:VersionReport",
    "config-show": "tidegate.cli.reports:ConfigReport",
    "config-check": "tidegate.cli.reports:ConfigCheckReport",
    "config-explain": "tidegate.cli.reports:KeyReport",
    "doctor": "tidegate.cli.reports:DoctorReport",
    "client-config": "tidegate.cli.reports:ClientConfigReport",
    "verify": "tidegate.cli.reports:VerifyReport",
    "status": "tidegate.web.report:StatusReport",
    "status-page": "tidegate.web.status_files:StatusPageReport",
    "suites": "tidegate.web.report:SuitesReport",
    "sources": "tidegate.web.source_report:SourcesReport",
    "sources-probe": "tidegate.web.probe_report:ProbesReport",
    "hold-add": "tidegate.web.hold_report:HoldAddReport",
    "hold-remove": "tidegate.web.hold_report:HoldRemoveReport",
    "hold-list": "tidegate.web.hold_report:HoldsReport",
    "hold-why": "tidegate.web.hold_report:HoldWhyReport",
    "readiness": "tidegate.holding.readiness:Readiness",
    "fleet-add": "tidegate.web.fleet_report:FleetAddReport",
    "fleet-list": "tidegate.web.fleet_report:HostsReport",
    "fleet-show": "tidegate.web.fleet_report:HostShowReport",
    "fleet-tag": "tidegate.web.fleet_report:FleetTagReport",
    "fleet-remove": "tidegate.web.fleet_report:FleetRemoveReport",
    "fleet-token-add": "tidegate.web.fleet_report:TokenAddReport",
    "fleet-token-list": "tidegate.web.fleet_report:TokensReport",
    "fleet-token-remove": "tidegate.web.fleet_report:TokenRemoveReport",
    "exposure": "tidegate.web.exposure_report:FleetExposureReport",
    "exposure-cve": "tidegate.web.exposure_report:CveExposureReport",
    "exposure-host": "tidegate.web.exposure_report:HostExposuresReport",
    "exposure-export": "tidegate.web.exposure_export_report:ExposureExportReport",
    "advisories-refresh": "tidegate.web.advisories_report:AdvisoriesRefreshReport",
    "advisories-status": "tidegate.web.advisories_report:FeedsReport",
    "advisories-show": "tidegate.web.advisories_report:AdvisoryReport",
    "drill": "tidegate.web.drill_report:DrillReport",
    "gc": "tidegate.web.gc_report:GcReport",
    "incident-list": "tidegate.web.incident_report:IncidentsReport",
    "incident-show": "tidegate.web.incident_report:IncidentReport",
    "incident-note": "tidegate.web.incident_report:WrittenReport",
    "incident-action": "tidegate.web.incident_report:WrittenReport",
    "incident-claim": "tidegate.web.incident_report:WrittenReport",
    "incident-close": "tidegate.web.incident_report:WrittenReport",
    "postmortem": "tidegate.incidents.postmortem:Postmortem",
    "journal-show": "tidegate.web.journal_report:JournalReport",
    "journal-export": "tidegate.web.journal_report:EventReport",
    "journal-verify": "tidegate.web.journal_report:ChainReport",
    "refresh": "tidegate.web.report:RefreshReport",
    "import-acng": "tidegate.web.report:ImportReport",
    "export": "tidegate.web.export_report:ExportReport",
    "export-manifest": "tidegate.web.export_report:ExportManifest",
    "watch-list": "tidegate.web.watch_report:WatchesReport",
    "watch-check": "tidegate.web.watch_report:ChecksReport",
    "watch-show": "tidegate.web.watch_report:WatchTextReport",
    "run": "tidegate.web.report:RunReport",
}
"""By command, with minus for blank; `export-manifest` is what `export` leaves in its folder, `exposure-cve` what
`exposure` answers with `--cve`."""


def schema(
    command: Annotated[
        str | None, typer.Argument(metavar="COMMAND", help="As in `config-show`; without it, all names.")
    ] = None,
) -> None:
    """Print the JSON schema of a command's --json answer."""
    if command is None:
        for name in names():
            say(name)
        return
    if command not in _REPORTS:
        raise Failure(
            ExitCode.USAGE,
            Complaint(f"there is no schema of {command!r}", todo=f"There is one of {', '.join(names())}."),
        )
    say_json(schema_of(command))


def names() -> tuple[str, ...]:
    """Every command that has one, sorted."""
    return tuple(sorted(_REPORTS))


def schema_of(command: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of the struct that the command answers with."""
    from importlib import import_module

    import msgspec

    module, _, name = _REPORTS[command].partition(":")
    struct: type[Struct] = getattr(import_module(module), name)
    return msgspec.json.schema(struct)
