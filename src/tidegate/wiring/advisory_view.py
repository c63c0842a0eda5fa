"""Advisories as they are told to whoever asks: `web.asking.AdvisoryView` over the stores."""

import re
import time
from collections.abc import Sequence

from tidegate.advisories.documents import Documents
from tidegate.advisories.history import History
from tidegate.fleet.freshness import AgeLimits
from tidegate.fleet.lookout import Lookout
from tidegate.web.asking import ExposedHost
from tidegate.web.documents import OpenDocument, opened

HOSTS_TOLD_MAX = 500
CVES_OF_NOTICE_MAX = 200
_CVE = re.compile(r"CVE-[0-9-]+|TEMP-[0-9A-F-]+")


class StoredAdvisories:
    """`lookout` is None towards the fleet: hosts are not told about each other there."""

    def __init__(
        self,
        history: History,
        documents: Documents,
        limits: AgeLimits,
        refuse_after_s: int,
        lookout: Lookout | None = None,
    ) -> None:
        self.history = history
        self.limits = limits
        self.refuse_after_s = refuse_after_s
        self._documents = documents
        self._lookout = lookout

    def now(self) -> int:
        return int(time.time())

    def document(self, file: str) -> OpenDocument | None:
        return opened(self._documents, file)

    def exposed(self, about: str) -> Sequence[ExposedHost] | None:
        """Of a notice: by all CVEs that it speaks of. The worst HOSTS_TOLD_MAX."""
        if self._lookout is None:
            return None
        found: list[ExposedHost] = []
        for cve in [about] if _CVE.fullmatch(about) else self._cves(about):
            found += _hosts(self._lookout, cve, self.now(), HOSTS_TOLD_MAX - len(found))
        return found

    def _cves(self, notice: str) -> list[str]:
        named = (cve for one in self.history.about(notice) for cve in one.record.cves)
        return sorted(dict.fromkeys(named))[:CVES_OF_NOTICE_MAX]


def _hosts(lookout: Lookout, cve: str, now: int, limit: int) -> list[ExposedHost]:
    told: list[ExposedHost] = []
    for finding, hosts in lookout.findings(cve, now):
        for entry in lookout.entries(list(hosts[: max(0, limit - len(told))])):
            name = entry.host.name or entry.host.id
            told.append(ExposedHost(name, finding.package, finding.version, finding.exposure.value, finding.reason))
    return told
