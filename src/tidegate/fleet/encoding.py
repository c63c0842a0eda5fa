"""Pieces and settings as text: canonical, so that what is equal is kept once."""

from functools import lru_cache

import msgspec

from tidegate.fleet.composition import Piece, Setting
from tidegate.fleet.inventory import Module, Package, Suite

SETTINGS_REMEMBERED = 1024


def piece_text(piece: Piece) -> str:
    """One line for each package; no field has a tab or a newline in it (`inventory.package` sees to it)."""
    return "\n".join(
        f"{one.binary}\t{one.architecture}\t{one.version}\t{one.source}\t{one.source_version}\t{one.state}"
        f"\t{'h' if one.held else ''}\t{one.origin}"
        for one in piece
    )


def piece_of(text: str) -> Piece:
    """The other way."""
    return tuple(_package(line) for line in text.split("\n"))


@lru_cache(maxsize=SETTINGS_REMEMBERED)
def setting_text(setting: Setting) -> str:
    """JSON, its sets sorted."""
    suites = None if setting.suites is None else sorted((one.origin, one.name) for one in setting.suites)
    modules = [(one.name, one.loaded, one.built_in, one.loadable, one.blocked) for one in setting.modules]
    told = (setting.distribution, setting.release, setting.kernel, suites, modules, setting.unreadable)
    return msgspec.json.encode(told).decode()


@lru_cache(maxsize=SETTINGS_REMEMBERED)
def setting_of_text(text: str) -> Setting:
    """The other way."""
    distribution, release, kernel, suites, modules, unreadable = msgspec.json.decode(text)
    return Setting(
        distribution,
        release,
        kernel,
        None if suites is None else frozenset(Suite(*one) for one in suites),
        tuple(Module(*one) for one in modules),
        tuple(unreadable),
    )


def _package(line: str) -> Package:
    binary, architecture, version, source, source_version, state, held, origin = line.split("\t")
    return Package(binary, architecture, version, source, source_version, state, held == "h", origin)
