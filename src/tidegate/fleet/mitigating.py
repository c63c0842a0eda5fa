"""Whether what mitigates a CVE helps on a host: by what the host says of its kernel's modules, and not by versions."""

import re
from collections.abc import Iterable, Sequence

from tidegate.fleet.inventory import Inventory, Module
from tidegate.fleet.knowledge import Remedy
from tidegate.fleet.ruling import at_least, key
from tidegate.fleet.supply import Offer, Supply
from tidegate.fleet.verdict import Effect, Mitigation


def mitigations(remedies: Iterable[Remedy], inventory: Inventory, supply: Supply) -> tuple[Mitigation, ...]:
    """What each remedy does on a host."""
    return tuple(_mitigation(remedy, inventory, supply) for remedy in remedies)


def _mitigation(remedy: Remedy, inventory: Inventory, supply: Supply) -> Mitigation:
    statement, host = remedy.statement, inventory.host
    fixed = statement.fixed or ""
    versions = [one.source_version for one in inventory.packages if one.source == statement.package]
    applied = bool(versions) and at_least(min(versions, key=key), fixed)
    modules = [one for one in inventory.modules if re.search(rf"\b{re.escape(one.name)}\b", remedy.text)]
    effect, reason = _effect(modules, applied=applied, package=f"{statement.package} {fixed}")
    offers = supply.offers(host.distribution, host.release, statement.package)
    return Mitigation(remedy.notice, statement.package, fixed, effect, _can_be_had(offers, fixed), reason)


def _can_be_had(offers: Sequence[Offer], fixed: str) -> bool:
    return any(one.obtainable and at_least(one.source_version, fixed) for one in offers)


def _effect(modules: Sequence[Module], *, applied: bool, package: str) -> tuple[Effect, str]:
    if not modules:
        if applied:
            return Effect.UNKNOWN, f"{package} is installed; the host says nothing about the modules"
        return Effect.NOT_APPLIED, f"{package} is not installed"
    told = [_of_module(one, applied=applied, package=package) for one in modules]
    worst = (Effect.NOT_EFFECTIVE, Effect.NOT_APPLIED, Effect.UNKNOWN, Effect.EFFECTIVE)
    return min(told, key=lambda one: worst.index(one[0]))


def _of_module(module: Module, *, applied: bool, package: str) -> tuple[Effect, str]:
    name = module.name
    if module.built_in:
        return Effect.NOT_EFFECTIVE, f"{name} is built into the kernel that runs: nothing can keep it from loading"
    if module.loaded:
        return Effect.NOT_EFFECTIVE, f"{name} is loaded: unload it, or restart"
    if module.loaded is False and module.built_in is False and module.loadable is False:
        return Effect.EFFECTIVE, f"the kernel that runs has no {name}"
    if module.blocked and module.loaded is False and module.built_in is False:
        return Effect.EFFECTIVE, f"{name} is not loaded, and modprobe refuses to load it"
    if module.blocked is False:
        if applied:
            return Effect.NOT_EFFECTIVE, f"{package} is installed, and yet modprobe would load {name}"
        return Effect.NOT_APPLIED, f"{package} is not installed, and modprobe would load {name}"
    if applied or module.blocked:
        return Effect.UNKNOWN, f"the host does not say whether {name} is loaded, built in or blocked"
    return Effect.NOT_APPLIED, f"{package} is not installed"
