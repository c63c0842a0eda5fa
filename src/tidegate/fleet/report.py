"""The report: what a host says about itself in one line of shell, without an agent.

Format, version 1. Lines of fields parted by tabs, in this order; `?` where the host cannot tell:

    tidegate-inventory 1
    host    ID  NAME                              hash of /etc/machine-id (which is not to be shown), uname -n
    os      ID  VERSION_ID  VERSION_CODENAME      of /etc/os-release
    kernel  RELEASE                               uname -r
    boot    ID                                    /proc/sys/kernel/random/boot_id
    suite   ORIGIN  NAME                          for each that apt installs from and has fetched, sorted
    suites  yes|no                                whether apt could be asked for these
    module  NAME  LOADED  BUILT-IN  LOADABLE  BLOCKED         yes, no or ?, of the kernel that runs
    package BINARY  VERSION  ARCHITECTURE  SOURCE  SOURCE-VERSION  STATUS  ORIGIN    as dpkg-query has them
    end

There is no time in it, so that the report of an unchanged host is the same, byte for byte. Holds are in STATUS (`hi `).
A report without its last line was cut off, and is refused.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from tidegate.archive.errors import FormatError, excerpt
from tidegate.fleet import inventory as inv
from tidegate.fleet.inventory import Form, Host, Inventory, Module, Package, Suite

VERSION = "1"
LINE_CHARS_MAX = 4096
LINES_REMEMBERED = 2**16
LINE_REMEMBERED_CHARS_MAX = 256
PACKAGE_FIELDS = 7
LINES_MAX = inv.PACKAGES_MAX + inv.SUITES_MAX + inv.MODULES_MAX + 100
MODULES = ("algif_aead",)
"""Modules that a mitigation was ever about: Copy Fail's."""

_NO_MACHINE_ID = hashlib.sha256(b"").hexdigest()[:32]
_MODULE = re.compile(r"[A-Za-z0-9_]{1,64}")
_CODENAME = re.compile(r"[a-z]{1,32}")

# apt names the files where it keeps what it fetched; it takes a second to read them itself, only to tell the Origin.
_COMMAND = r"""
(PATH=$PATH:/usr/sbin:/sbin; . /etc/os-release; t=$(printf '\t'); k=$(uname -r); l=/lib/modules/$k;
yn() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; };
printf 'tidegate-inventory\t1\nhost\t%s\t%s\n' "$(cat /etc/machine-id 2>/dev/null|sha256sum|cut -c1-32)" "$(uname -n)";
printf 'os\t%s\t%s\t%s\nkernel\t%s\n' "$ID" "$VERSION_ID" "$VERSION_CODENAME" "$k";
printf 'boot\t%s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)";
d=/var/lib/apt/lists/; eval "$(apt-config shell d Dir::State::lists/d 2>/dev/null)";
if s=$(apt-get -o Dir::State::lists=/nonexistent -o APT::Get::IndexTargets::ReleaseInfo=false indextargets
--format '$(RELEASE)|$(COMPONENT)|$(FILENAME)' 'Created-By: Packages' 2>/dev/null);
then printf '%s\n' "$s"|while IFS='|' read -r r c f; do c=$(echo "$c"|tr / _); f=${f##*/}; f=${f%_Packages*};
if [ "$c" ]; then f=${f%_"$c"_binary-*}; fi;
for g in "$d${f}_InRelease" "$d${f}_Release"; do if [ -r "$g" ]; then
printf 'suite\t%s\t%s\n' "$(sed -n '/^Origin:/{s/^Origin: *//p;q;}' "$g")" "$r"; break; fi; done;
done|LC_ALL=C sort -u; printf 'suites\tyes\n'; else printf 'suites\tno\n'; fi;
for m in MODULES; do a='?'; b='?'; d='?'; c='?'; n=$(echo $m|sed 's/_/[-_]/g');
if [ -r /proc/modules ]; then a=$(yn grep -q "^$m " /proc/modules); fi;
if [ -r $l/modules.builtin ]; then b=$(yn grep -q "/${n}[.]ko" $l/modules.builtin); fi;
if [ -r $l/modules.dep ]; then d=$(yn grep -q "/${n}[.]ko[^:]*:" $l/modules.dep); fi;
if e=$(modprobe -c 2>/dev/null); then c=$(printf '%s\n' "$e"|yn grep -Eq "^install $n (/usr)?/bin/(false|true)"); fi;
printf 'module\t%s\t%s\t%s\t%s\t%s\n' $m "$a" "$b" "$d" "$c"; done;
q=$(dpkg-query -W -f="package$t\${binary:Package}$t\${Version}$t\${Architecture}$t\${source:Package}$t\
\${source:Version}$t\${db:Status-Abbrev}$t\${Origin}\n") && printf '%s\n' "$q"|LC_ALL=C sort && echo end)
"""


def command(modules: Iterable[str] = MODULES) -> str:
    """The one line, for any POSIX shell, that prints a host's report. It reads, and asks nobody for anything."""
    names = list(modules)
    if not names or not all(map(_MODULE.fullmatch, names)):
        raise ValueError("names of kernel modules, with underscores")
    line = _COMMAND.strip().replace("\\\n", "").replace("\n", " ")
    return line.replace("in MODULES;", f"in {' '.join(names)};")


def parse(data: bytes, *, taken_at: int, host: str = "") -> Inventory:
    """Read a report. `host` is the id to know it by, where its own is not wanted or it has none.

    Raises FormatError with the line.
    """
    reading = _Reading(host)
    for number, line in enumerate(_lines(data), 1):
        try:
            if line.startswith("package\t"):
                reading.take_package(line)
            else:
                reading.take(line.split("\t"), first=number == 1)
        except FormatError as error:
            raise FormatError(error.what, error.where or f"line {number}") from None
    return reading.inventory(taken_at)


def _lines(data: bytes) -> list[str]:
    if len(data) > inv.INVENTORY_BYTES_MAX:
        raise FormatError(f"more than {inv.INVENTORY_BYTES_MAX} bytes")
    if data.count(b"\n") > LINES_MAX:
        raise FormatError(f"more than {LINES_MAX} lines")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise FormatError("not UTF-8", f"line {number}") from None
    lines = text.removesuffix("\n").split("\n")
    if lines[-1] != "end":
        raise FormatError("cut off: the last line is not `end`", f"line {len(lines)}")
    return lines


class _Reading:
    """What was read so far."""

    def __init__(self, host: str) -> None:
        self._id = host
        self._once: dict[str, tuple[str, ...]] = {}
        self._suites: set[Suite] = set()
        self._modules: dict[str, Module] = {}
        self._packages: list[Package | FormatError | None] = []
        self._begun = self._ended = False
        self._kinds: dict[str, tuple[int, Callable[..., None]]] = {
            "suite": (2, lambda *fields: self._suites.add(inv.suite(*fields))),
            "module": (5, self._module),
        }

    def take_package(self, line: str) -> None:
        """The line of a package. Raises FormatError."""
        if not self._begun or self._ended:
            raise FormatError("more after the end" if self._ended else "no report of an inventory")
        read = _package if len(line) <= LINE_REMEMBERED_CHARS_MAX else _package.__wrapped__
        self._packages.append(read(line))

    def take(self, fields: list[str], *, first: bool) -> None:
        """One line. Raises FormatError."""
        kind, *values = fields
        if sum(map(len, fields)) > LINE_CHARS_MAX:
            raise FormatError(f"more than {LINE_CHARS_MAX} characters")
        if first:
            if kind != "tidegate-inventory" or len(values) != 1:
                raise FormatError("no report of an inventory")
            if values[0] != VERSION:
                raise FormatError(f"a report of version {excerpt(values[0])}; this gateway reads version {VERSION}")
            self._begun = True
            return
        if self._ended:
            raise FormatError("more after the end")
        if kind in self._kinds:
            count, take = self._kinds[kind]
        elif kind in _ONCE:
            count, take = _ONCE[kind], lambda *found: self._only(kind, found)
        else:
            raise FormatError(f"a line of an unknown kind: {excerpt(kind)}")
        if len(values) != count:
            raise FormatError(f"{len(values)} fields instead of {count} behind {excerpt(kind)}")
        take(*values)

    def inventory(self, taken_at: int) -> Inventory:
        """What was read, whole. Raises FormatError for what is missing."""
        if missing := _ONCE.keys() - self._once.keys() - {"end"}:
            raise FormatError(f"no line for {', '.join(sorted(missing))}")
        identity, name = self._once["host"]
        if not self._id and identity == _NO_MACHINE_ID:
            raise FormatError("a host without a machine-id: it has to be given another id", "host")
        distribution, number, codename = self._once["os"]
        host = Host(
            id=self._id or identity,
            name=name,
            distribution=distribution,
            release=codename if _CODENAME.fullmatch(codename) else number,
            kernel=self._once["kernel"][0],
            boot=self._once["boot"][0],
            suites=frozenset(self._suites) if self._once["suites"] == ("yes",) else None,
        )
        return inv.inventory(host, self._packages, taken_at=taken_at, form=Form.REPORT, modules=self._modules.values())

    def _only(self, kind: str, values: tuple[str, ...]) -> None:
        if kind in self._once:
            raise FormatError(f"{kind} a second time")
        self._once[kind] = values
        self._ended = kind == "end"

    def _module(self, *fields: str) -> None:
        found = inv.module(*fields)
        if self._modules.setdefault(found.name, found) != found:
            raise FormatError(f"module {excerpt(found.name)} a second time")


@lru_cache(LINES_REMEMBERED)
def _package(line: str) -> Package | FormatError | None:
    """A line of a package, remembered: hosts have the same ones, again and again. Raises FormatError."""
    fields = line.split("\t")
    if len(line) - len(fields) + 1 > LINE_CHARS_MAX:
        raise FormatError(f"more than {LINE_CHARS_MAX} characters")
    if len(fields) != PACKAGE_FIELDS + 1:
        raise FormatError(f"{len(fields) - 1} fields instead of {PACKAGE_FIELDS} behind 'package'")
    _, binary, version, architecture, source, source_version, status, origin = fields
    state, held = inv.abbreviated(status)
    return inv.package(
        binary,
        architecture,
        version,
        source=source,
        source_version=source_version,
        state=state,
        held=held,
        origin=origin,
    )


_ONCE = {"host": 2, "os": 3, "kernel": 1, "boot": 1, "suites": 1, "end": 0}
