"""docs/img/dashboard.png: the dashboard of a real gateway that has just lost its mirrors, taken in a real Chromium.

`python -m tests.docs.dashboard_picture`, or `make dashboard-picture`: half a minute.
"""

import base64
import tempfile
from pathlib import Path

from tests.browser.chromium import Chromium, program
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import KeyHome, make_keys
from tests.simulator.server import SourceServer

IMAGE = Path(__file__).parents[2] / "docs/img/dashboard.png"
WIDTH, HEIGHT = 1000, 1250
NAMES = ("hello", "libgreet1", "plain")
SETTINGS = "[health]\nalone_after_s = 0.5\n[journal]\nserved_interval_s = 1.0\n"


def main() -> None:
    """Take it."""
    path = program()
    assert path is not None, "there is no Chromium here"
    with tempfile.TemporaryDirectory() as folder, KeyHome() as home:
        root = Path(folder)
        keys = make_keys(home, root)
        archive = SimulatedArchive(root / "archive", keys)
        for name in NAMES:
            archive.add_package(name, "1.0")
        archive.publish()
        with (
            SourceServer(archive.public, prefix="/debian") as one,
            SourceServer(archive.public, prefix="/debian") as other,
        ):
            served = ServedArchive("debian", (one.url, other.url), keys.keyring)
            gateway = GatewayProcess(root / "gateway", (served,), settings=SETTINGS)
            try:
                gateway.start()
                _ask(gateway, rounds=40)
                one.refuse()
                other.refuse()
                gateway.get("/debian/pool/main/p/plain/plain_1.0_amd64.deb")
                gateway.wait_for(lambda: bool(gateway.status()["alone"]), 120)
                _ask(gateway, rounds=10)
                _take(path, gateway.admin_url + "/")
            finally:
                gateway.kill9()


def _ask(gateway: GatewayProcess, *, rounds: int) -> None:
    for name in NAMES[:2] * rounds:
        gateway.get(f"/debian/pool/main/{name[:4] if name.startswith('lib') else name[0]}/{name}/{name}_1.0_amd64.deb")


def _take(path: str, url: str) -> None:
    with Chromium(path) as browser, browser.page() as page:
        page.look(width=WIDTH, height=HEIGHT)
        page.open(url)
        page.wait_for("document.querySelector('.incident') !== null")
        page.wait_for("document.querySelector('.bars') !== null")
        told = page.send("Page.captureScreenshot", format="png")
        IMAGE.write_bytes(base64.b64decode(told["data"]))
        assert not page.seen.console, page.seen.console


if __name__ == "__main__":
    main()
