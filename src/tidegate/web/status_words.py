"""What the status page says to people who only want their updates: of each condition what it means for them, and what
to do, line by line. Pure.

Read at night, by somebody who is tired and did not choose this gateway: short words, one thing to do, nothing to guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Of one condition. `{name}` is the archive or feed. `lines` are to be done as they stand; none: nothing is."""

    title: str
    effect: str
    do: str
    lines: tuple[str, ...] = ()


NOTHING = "You have nothing to do."
_AS_EVER = "sudo apt-get update && sudo apt-get upgrade"

WORDS: Mapping[str, Words] = {
    "refusing": Words(
        "Some packages cannot be had now",
        "apt is told 403 or 503 for packages that are not held here, while the place they come from is out. Everything "
        "that is held works.",
        "Leave the package that fails, and try again after the next update of this page. Change nothing in your "
        "sources. To bring in all else:",
        ("sudo apt-get update && sudo apt-get upgrade --fix-missing",),
    ),
    "alone": Words(
        "{name}: nothing new comes in",
        "None of the places that it comes from answers. What is held here is served on: updates that were out before "
        "this began can be installed, new ones cannot reach you yet.",
        "Change nothing in your sources. Updates work as ever:",
        (_AS_EVER,),
    ),
    "expired": Words(
        "{name}: apt says that its lists are expired",
        "The newest signed list is past its date, and no newer one can be had. apt-get update ends with “is expired”; "
        "apt-get install and upgrade go on with the lists that your host has.",
        "Keep the lists that you have: do not delete /var/lib/apt/lists. Upgrade without looking for news:",
        ("sudo apt-get upgrade",),
    ),
    "split-view": Words(
        "{name}: two signed states differ",
        "Two versions of the same date, both properly signed, were found. One of them should not exist, and nobody "
        "knows yet which.",
        "Put off installs and upgrades from it until this is cleared up, unless they close a hole that is being used.",
    ),
    "last-operator": Words(
        "{name}: one place left to fetch from",
        "Everything works. If that one fails as well, nothing new will come in until another is back.",
        NOTHING,
    ),
    "stale": Words(
        "{name}: not known to be the newest",
        "What is served is properly signed, but nobody has confirmed lately that there is nothing newer.",
        "Updates work as ever. If you wait for one that you do not see, ask.",
        (_AS_EVER,),
    ),
    "frozen": Words(
        "{name}: quiet for longer than usual",
        "Nothing new was published for so long that somebody may be showing us an old state. What is served is "
        "properly signed.",
        "Updates work as ever. If you wait for one that you do not see, ask.",
        (_AS_EVER,),
    ),
    "wrong-bytes": Words(
        "A source gave wrong bytes",
        "That was noticed, and nobody got them: whatever you were given is what its vendor signed.",
        NOTHING,
    ),
    "feed-stale": Words(
        "{name}: news of vulnerabilities is old",
        "What is new there has not reached us. A scan that finds nothing does not mean that there is nothing.",
        "Do not take a clean scan for safe. Updates work as ever:",
        (_AS_EVER,),
    ),
}
"""The conditions that somebody outside can notice, or should know of; the others are their operators' business."""

GATEWAY = Words(
    "The gateway is not running",
    "apt gets no answer from it. Hosts that were set up to find out (`auto-detect`) go past it by themselves; all "
    "others wait until it is back.",
    "Nothing is broken on your host: try again after the next update of this page. Change nothing in your sources.",
)
