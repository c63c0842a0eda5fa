"""CycloneDX (cyclonedx.org, JSON), as Trivy and Syft write it for a system with dpkg.

Advisories speak of source packages, and CycloneDX has no field for these. Trivy writes them as properties
(`aquasecurity:trivy:SrcName`, `SrcEpoch`, `SrcVersion`, `SrcRelease`), Syft too (`syft:metadata:source`,
`sourceVersion`), which leaves them out where they are the binary's own, as dpkg does. Of a document that has neither,
nobody can say what its packages are open to, so it is refused.
"""

import re
from urllib.parse import unquote

import msgspec

from tidegate.advisories.fields import decoded
from tidegate.archive.errors import FormatError, excerpt
from tidegate.fleet import inventory as inv
from tidegate.fleet.inventory import Form, Host, Inventory, Package
from tidegate.fleet.releases import codename

COMPONENTS_MAX = 500_000
"""Files and libraries of languages among them; these are passed over."""
TRIVY = "aquasecurity:trivy:"
SYFT = "syft:metadata:"

_PURL = re.compile(r"pkg:deb/[^/@?#]+/[^/@?#]+@(?P<version>[^?#]+)(?:\?(?P<qualifiers>[^#]*))?(?:#.*)?")


class _Property(msgspec.Struct, frozen=True, gc=False):
    name: str
    value: str = ""


class _Component(msgspec.Struct, frozen=True):
    type: str
    name: str
    version: str = ""
    purl: str = ""
    properties: list[_Property] | None = None


class _Metadata(msgspec.Struct, frozen=True):
    component: _Component | None = None


class _Document(msgspec.Struct, frozen=True):
    format: str = msgspec.field(name="bomFormat")
    components: list[_Component] = []
    metadata: _Metadata | None = None


_DECODER = msgspec.json.Decoder(_Document)


def parse(data: bytes, *, taken_at: int, host: str, kernel: str = "") -> Inventory:
    """Read a document. `host` is the id to know it by, `kernel` what it runs. Raises FormatError."""
    if len(data) > inv.INVENTORY_BYTES_MAX:
        raise FormatError(f"more than {inv.INVENTORY_BYTES_MAX} bytes")
    document = decoded(_DECODER, data)
    if document.format != "CycloneDX":
        raise FormatError(f"no CycloneDX: {excerpt(document.format)}")
    if len(document.components) > COMPONENTS_MAX:
        raise FormatError(f"more than {COMPONENTS_MAX} components")
    systems = {(one.name.lower(), one.version) for one in document.components if one.type == "operating-system"}
    if len(systems) != 1:
        raise FormatError(f"{len(systems)} operating systems instead of one", "components")
    distribution, number = systems.pop()
    named = document.metadata.component.name if document.metadata and document.metadata.component else ""
    return inv.inventory(
        Host(host, named[:128], distribution, codename(distribution, number), kernel),
        (_package(one) for one in document.components if one.purl.startswith("pkg:deb/")),
        taken_at=taken_at,
        form=Form.CYCLONEDX,
    )


def _package(component: _Component) -> Package | FormatError | None:
    where = f"component {excerpt(component.name)}"
    purl = _PURL.fullmatch(component.purl)
    if purl is None:
        raise FormatError(f"no package: {excerpt(component.purl)}", where)
    qualifiers = dict(one.partition("=")[::2] for one in (purl["qualifiers"] or "").split("&"))
    version = component.version or unquote(purl["version"])
    if (epoch := qualifiers.get("epoch", "0")) != "0" and ":" not in version:
        version = f"{epoch}:{version}"
    source, source_version = _source(component, where)
    return inv.package(
        component.name,
        qualifiers.get("arch", ""),
        version,
        source=source,
        source_version=source_version,
    )


def _source(component: _Component, where: str) -> tuple[str, str]:
    """The source's name and version; empty for what is as the binary's. Raises FormatError if it is not said."""
    said = {one.name: one.value for one in component.properties or ()}
    if name := said.get(f"{TRIVY}SrcName"):
        epoch, release = said.get(f"{TRIVY}SrcEpoch", "0"), said.get(f"{TRIVY}SrcRelease", "")
        version = said.get(f"{TRIVY}SrcVersion", "")
        if not version:
            raise FormatError("a source without a version", where)
        whole = f"{version}-{release}" if release else version
        return name, whole if epoch in ("", "0") or ":" in whole else f"{epoch}:{whole}"
    if any(one.startswith(SYFT) for one in said):
        return said.get(f"{SYFT}source", ""), said.get(f"{SYFT}sourceVersion", "")
    raise FormatError("names no source package, and without it there is no telling; made by Trivy or Syft?", where)
