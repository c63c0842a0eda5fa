"""What to put on a host so that it reports by itself: a script with a timer, and a hook that runs it after dpkg."""

from importlib.resources import files

from tidegate.cli.client_config.gateway import MARKER, ClientFile, Gateway
from tidegate.fleet.report import command

SCRIPT = "usr/local/lib/tidegate/report"
HOOK = "etc/apt/apt.conf.d/90tidegate-report.conf"
TIMER = "etc/systemd/system/tidegate-report.timer"
SERVICE = "etc/systemd/system/tidegate-report.service"
TOKEN = "/etc/tidegate/report-token"  # noqa: S105  # the path of one
HOOK_TIMEOUT_S = 5

# In a session of its own, with nothing of apt's open, so that apt neither waits for it nor hears of it.
_HOOK = f"""\
// {MARKER}. After each run of dpkg, the host tells the gateway what it has now.
DPkg::Post-Invoke {{ "if [ -x /{SCRIPT} ]; then (setsid timeout -k 1 {HOOK_TIMEOUT_S} /{SCRIPT} \
</dev/null >/dev/null 2>&1 &) >/dev/null 2>&1; fi; true"; }};
"""
_SERVICE = f"""\
# {MARKER}.
[Unit]
Description=Tell the gateway what this host has
ConditionPathExists={TOKEN}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/{SCRIPT}
TimeoutStartSec=180
Nice=19
IOSchedulingClass=idle
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
"""
_TIMER = f"""\
# {MARKER}. Soon after each start, since then another kernel may run, and once an hour.
[Unit]
Description=Tell the gateway what this host has

[Timer]
OnBootSec=1min
OnUnitActiveSec=1h
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
"""


def hook_files() -> tuple[ClientFile, ...]:
    """The hook, which runs the timer's script."""
    return (ClientFile(HOOK, 0o644, _HOOK),)


def timer_files(gateway: Gateway) -> tuple[ClientFile, ...]:
    """The timer, its service, and the script; what needs another comes before it."""
    return (ClientFile(TIMER, 0o644, _TIMER), ClientFile(SERVICE, 0o644, _SERVICE), _script(gateway))


def _script(gateway: Gateway) -> ClientFile:
    text = files(__package__).joinpath("report.sh").read_text()
    filled = (
        text.replace("@HOST@", gateway.host.strip("[]"))
        .replace("@PORT@", str(gateway.port))
        .replace("@URL@", gateway.url)
        .replace("@COMMAND@", command())
    )
    return ClientFile(SCRIPT, 0o755, filled)


def one_line(gateway: Gateway) -> str:
    """The report and curl in one line, for a shell. The token appears on no command line."""
    return (
        f'{command()} | {{ printf \'header = "Authorization: Bearer %s"\\n\' "$(cat {TOKEN})" | '
        f"curl -sS -K - --data-binary @/dev/fd/3 {gateway.url}/fleet/report; }} 3<&0"
    )
