"""What `tidegate hold` does, on the stores themselves: in the running gateway, or where none runs, in the command."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256

from msgspec.structs import replace

from tidegate.holding.expand_process import ExpandError, expand_in_process
from tidegate.holding.hot_listing import Stores
from tidegate.holding.settings import HoldSettings
from tidegate.store.holds import Wish
from tidegate.store.layout import Layout
from tidegate.web.hold_report import (
    HoldAddReport,
    HoldRemoveReport,
    HoldsReport,
    HoldWhyReport,
    WishRequest,
    holds_of,
    rule_of,
    why_of_package,
)

PATTERN_CHARS_MAX = 255
RULE_NAME_CHARS_MAX = 100
MARK_CHARS = 8
_PATTERN = re.compile(r"[A-Za-z0-9+.\-*?\[\]!]+\^?")


class WishError(ValueError):
    """A rule that cannot be: a sentence saying why."""


def wish_of(asked: WishRequest, archives: Sequence[str], now: int) -> Wish:
    """The rule that is asked for; one without a name is called by its words. Raises WishError."""
    wrong = next((one for one in asked.patterns if not _fits(one)), None)
    if wrong is not None:
        raise WishError(f"{wrong[:PATTERN_CHARS_MAX]!r} is no package's name and no pattern of one")
    if not asked.patterns and not asked.suite:
        raise WishError("a rule needs names of packages, or a suite to hold all of")
    if not asked.patterns and asked.closure:
        raise WishError("all of a suite has no closure: name packages, or leave --closure out")
    if asked.archive and asked.archive not in archives:
        raise WishError(f"no archive {asked.archive!r} is served here; there is {', '.join(archives) or 'none'}")
    words = asked.patterns or ("all of", *filter(None, (asked.archive, asked.suite, asked.component)))
    name = asked.name or _name_of(" ".join((*words, *filter(None, [asked.architecture]))))
    if not name.isprintable() or len(name) > RULE_NAME_CHARS_MAX or name != name.strip():
        raise WishError(f"a rule's name has {RULE_NAME_CHARS_MAX} printable characters at most")
    return Wish(
        name,
        asked.patterns,
        asked.archive,
        asked.suite,
        asked.component,
        asked.architecture,
        asked.closure or any(one.endswith("^") for one in asked.patterns),
        asked.recommends,
        now,
    )


def _name_of(words: str) -> str:
    """The words themselves; of too many the first, and what tells this rule from others that begin like it."""
    if len(words) <= RULE_NAME_CHARS_MAX:
        return words
    mark = f" … {sha256(words.encode()).hexdigest()[:MARK_CHARS]}"
    first = words[: RULE_NAME_CHARS_MAX - len(mark)]
    return (first.rpartition(" ")[0] or first) + mark


def _fits(pattern: str) -> bool:
    return len(pattern) <= PATTERN_CHARS_MAX and _PATTERN.fullmatch(pattern) is not None


class Holding:
    """Reads and changes the hot set. Slow for an event loop: seconds, where whole archives are wanted."""

    def __init__(self, stores: Stores, settings: HoldSettings, *, now: Callable[[], float] = time.time) -> None:
        self._stores = stores
        self._settings = settings
        self._now = now

    def take(self, wish: Wish) -> bool:
        """Take a rule in; whether there was one of its name. What it needs is another's to find out. Raises OSError."""
        holds = self._stores.holds
        replaced = any(one.name == wish.name for one in holds.wishes())
        holds.wish(wish)
        return replaced

    def taken(self, wish: Wish, *, replaced: bool, problems: Sequence[str] = ()) -> HoldAddReport:
        """What a rule comes to that was taken in."""
        rule = rule_of(self._stores, wish, now=wish.since)
        return HoldAddReport(rule=replace(rule, problems=(*problems, *rule.problems)), replaced=replaced)

    def remove(self, names: Sequence[str]) -> HoldRemoveReport:
        """Remove the rules of these names; where there is none, forget what clients used of that package."""
        rules, packages, unknown = [], [], []
        for name in names:
            if self._stores.holds.unwish(name):
                rules.append(name)
            elif self._stores.holds.forget_named(name):
                packages.append(name)
            else:
                unknown.append(name)
        return HoldRemoveReport(rules=tuple(rules), packages=tuple(packages), unknown=tuple(unknown))

    def list(self) -> HoldsReport:
        """The whole of it."""
        return holds_of(self._stores, now=int(self._now()), forget_after_s=self._settings.forget_after_s)

    def why(self, package: str) -> HoldWhyReport:
        """One package."""
        now, forget_after_s = int(self._now()), self._settings.forget_after_s
        return why_of_package(self._stores, package, now=now, forget_after_s=forget_after_s)


async def added(holding: Holding, wish: Wish, layout: Layout) -> HoldAddReport:
    """Take a rule in, find out what it needs, and say what it comes to. Raises OSError."""
    replaced = await asyncio.to_thread(holding.take, wish)
    problems: list[str] = []
    if wish.closure:
        try:
            await expand_in_process(layout, [wish.name])
        except ExpandError as error:
            problems.append(str(error))
    return await asyncio.to_thread(partial(holding.taken, wish, replaced=replaced, problems=problems))
