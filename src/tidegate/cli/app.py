"""The tree of commands. Modules named here must be quick to import: bodies import what they need."""

import typer

from tidegate.cli import advisories, config, exposure, fleet, hold, incident, journal, sources, watch
from tidegate.cli.client_config import client_config
from tidegate.cli.doctor import doctor
from tidegate.cli.drill import drill
from tidegate.cli.export import export
from tidegate.cli.gc import gc
from tidegate.cli.import_acng import import_acng
from tidegate.cli.man import man
from tidegate.cli.postmortem import postmortem
from tidegate.cli.readiness import readiness
from tidegate.cli.refresh import refresh
from tidegate.cli.render import JsonOption
from tidegate.cli.run import run
from tidegate.cli.schema import schema
from tidegate.cli.serve import serve
from tidegate.cli.status import status, suites
from tidegate.cli.status_page import status_page
from tidegate.cli.verify import verify
from tidegate.cli.version import version

app = typer.Typer(
    name="tidegate",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: quick, and the same in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def tidegate(as_json: JsonOption = False) -> None:
    """A verifying gateway between a fleet's apt and the world.

    Security updates keep arriving, verified, while their vendor is under attack. `tidegate serve` needs no
    configuration: it serves what this host's own apt sources name.
    """
    del as_json  # read from the context by each command


app.command()(serve)
app.command()(run)
app.command()(status)
app.command()(suites)
app.add_typer(sources.app, name="sources")
app.command()(refresh)
app.add_typer(hold.app, name="hold")
app.command()(readiness)
app.add_typer(advisories.app, name="advisories")
app.add_typer(fleet.app, name="fleet")
app.add_typer(exposure.app, name="exposure")
app.command()(gc)
app.add_typer(journal.app, name="journal")
app.add_typer(incident.app, name="incident")
app.command()(postmortem)
app.add_typer(watch.app, name="watch")
app.command()(drill)
app.command()(status_page)
app.command()(client_config)
app.command()(doctor)
app.command()(import_acng)
app.command()(export)
app.add_typer(config.app, name="config")
app.command()(verify)
app.command()(version)
app.command()(schema)
app.command()(man)
