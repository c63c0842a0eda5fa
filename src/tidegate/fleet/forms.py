"""One door to every form of an inventory: which form some bytes are, and what has to be said beside them."""

import hashlib
import re
from dataclasses import astuple, dataclass

from tidegate.archive.errors import FormatError, excerpt
from tidegate.fleet import cyclonedx, dpkg_status, osquery, report
from tidegate.fleet.inventory import Form, Host, Inventory

_HEAD_BYTES = 65_536
_CYCLONEDX = re.compile(rb'"bomFormat"\s*:\s*"CycloneDX"')


@dataclass(frozen=True, slots=True)
class Beside:
    """What is said beside an inventory that does not tell it itself: what the host is, and runs."""

    host: str = ""
    name: str = ""
    distribution: str = ""
    release: str = ""
    kernel: str = ""


def form_named(text: str) -> Form:
    """A form by its name. Raises FormatError."""
    try:
        return Form(text)
    except ValueError:
        known = ", ".join(form.value for form in Form)
        raise FormatError(f"no form {excerpt(text)}; there is {known}") from None


def beside(host: str = "", name: str = "", release: str = "", kernel: str = "") -> Beside:
    """What was said; `release` is DISTRIBUTION:CODENAME, as `debian:bookworm`. Raises FormatError."""
    distribution, colon, codename = release.partition(":")
    if release and not (distribution and colon and codename):
        raise FormatError(f"no release: {excerpt(release)}; say it as debian:bookworm or ubuntu:noble")
    return Beside(host, name, distribution, codename, kernel)


def form_of(data: bytes) -> Form:
    """By how it begins. Raises FormatError where it is none of them."""
    head = data[:_HEAD_BYTES].lstrip()
    if head.startswith(b"tidegate-inventory"):
        return Form.REPORT
    if head.startswith(b"Package:"):
        return Form.DPKG_STATUS
    if head[:1] in (b"{", b"["):
        return Form.CYCLONEDX if _CYCLONEDX.search(head) else Form.OSQUERY
    raise FormatError(f"none of the forms that are read: it begins with {excerpt(head[:20])}")


def read(data: bytes, form: Form | None, said: Beside, *, taken_at: int) -> Inventory:
    """An inventory in whatever form; None for the one that it looks like. Raises FormatError."""
    match form or form_of(data):
        case Form.REPORT:
            return report.parse(data, taken_at=taken_at, host=said.host)
        case Form.DPKG_STATUS:
            return dpkg_status.parse(data, _host(said), taken_at=taken_at)
        case Form.CYCLONEDX:
            if not said.host:
                raise FormatError("CycloneDX has no id of the host: say it beside (host=ID, or --host ID)")
            return cyclonedx.parse(data, taken_at=taken_at, host=said.host, kernel=said.kernel)
        case Form.OSQUERY:
            host = _host(said) if said.host else None
            return osquery.parse(data, taken_at=taken_at, host=host)


def reported(sha256: bytes, said: Beside) -> bytes:
    """The digest that an unchanged report is known by: of its bytes, and of what is said beside them.

    A report of a host about itself says its id already, and that is the same digest with the id beside it or without.
    """
    rest = astuple(said)[1:]
    if not any(rest):
        return sha256
    return hashlib.sha256(b"\n".join([sha256.hex().encode(), *(repr(one).encode() for one in rest)])).digest()


def _host(said: Beside) -> Host:
    missing = [
        word
        for word, value in (("host=ID", said.host), ("release=DISTRIBUTION:CODENAME", said.distribution))
        if not value
    ]
    if missing:
        raise FormatError(f"this form does not tell whose packages these are: say {' and '.join(missing)} beside it")
    return Host(said.host, said.name or said.host, said.distribution, said.release, said.kernel)
