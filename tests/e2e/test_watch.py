"""A page goes down while a gateway watches it: its people read the last good copy from the admin port meanwhile."""

import gzip
import json
from pathlib import Path
from typing import Any

from tests.conftest import GatewayFactory
from tests.e2e.test_desk import Place, got, until
from tests.gateway_process import ServedArchive, journal_objections
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.watch.site import PAGE, WORDS, Site


def test_a_page_goes_down_is_read_from_here_and_comes_back_over_a_crash_of_everything(
    gateway_process: GatewayFactory, source_server: SourceServer, keys: Keys
) -> None:
    with Site() as site:
        settings = (
            f'[[watch]]\nname = "status"\nurl = "{site.url}/"\ncontains = "{WORDS}"\ndown_after = 1\nup_after = 1\n'
            "incident = true\n"
            f'[[watch]]\nname = "secret"\nurl = "{site.url}/secret"\ncontains = "x"\n'
        )
        site.robots = b"User-agent: tidegate\nDisallow: /secret\n"
        gateway = gateway_process(ServedArchive("debian", (source_server.url,), keys.keyring), settings=settings)
        gateway.start()
        place = Place(gateway, 0)

        def watched(name: str) -> Any:
            told = place("watch", "list", "--json")
            return {one["name"]: one for one in told.json["watches"]}[name] if told.out else None

        until(lambda: (watched("status") or {}).get("copy"), "the desk asked, and kept a copy")
        until(lambda: watched("secret")["state"] == "not-asked", "who is not let in does not ask")
        assert site.asked["/secret"] == 0

        site.mode = "portal"
        assert place("watch", "check", "status").code == 1
        since = watched("status")["since"]
        admin = gateway.admin_url
        dashboard = got(f"{admin}/")[1]
        assert 'href="/watch/status"' in dashboard
        assert "another page, or not all of it" in dashboard
        status, copy = got(f"{admin}/watch/status", "--include")
        assert (status, "The original is down since" in copy, WORDS in copy) == (200, True, True)
        assert "content-security-policy: sandbox;" in copy.lower()
        assert "hotel" not in copy
        warc = got(f"{admin}/watch/status/copy.warc.gz")[1].encode("latin-1")
        assert PAGE in gzip.decompress(warc)
        assert 'tidegate_watch_up{watch="status"} 0.0' in got(f"{admin}/metrics")[1]
        assert got(f"{admin}/watch/status", "-H", "Host: evil.example")[0] == 421
        assert got(f"{admin}/watches/check", "-X", "POST")[0] == 405
        incidents = json.loads(place("incident", "list", "--json").out)["incidents"]
        assert [(one["about"], one["name"], one["state"]) for one in incidents] == [("watch", "status", "open")]

        gateway.kill9()
        assert watched("status")["since"] == since
        gateway.start()
        until(lambda: place.desks() and got(f"{admin}/watch/status")[0] == 200, "another desk knows it all")
        assert watched("status")["since"] == since
        site.mode = "up"
        assert place("watch", "check", "status").code == 0
        told = place("journal", "export").good().out.splitlines()
        kinds = [one["kind"] for line in told if (one := json.loads(line))["kind"].startswith("watch-")]
        assert sorted(kinds) == ["watch-down", "watch-not-asked", "watch-up"]
        assert journal_objections(Path(gateway.state)) == []
