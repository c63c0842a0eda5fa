"""Whether each source answers, asked with the gateway's own client and its rules, all at once."""

import asyncio
import email.utils
from dataclasses import dataclass, field
from typing import Literal

from tidegate.archive.paths import suite_base
from tidegate.cli.reports import CheckReport
from tidegate.config import Settings
from tidegate.sources.archive import Archive, Source
from tidegate.sources.client import Client
from tidegate.sources.connection import Head
from tidegate.sources.failure import FetchError
from tidegate.wiring.archives import archives_of, single_operator

REACH_TIMEOUT_S = 10.0
SOURCES_MAX = 64
"""Asked at most; each is one small request."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What asking the sources showed."""

    checks: tuple[CheckReport, ...]
    dates: tuple[int, ...]
    """The Date of each answer, epoch seconds."""


@dataclass(slots=True)
class _Answer:
    """A sink that only wants the head: the body of an InRelease is small, and is counted, not kept."""

    status: int = 0
    date: int | None = None
    bytes_seen: int = 0
    failure: str = ""

    def head(self, head: Head) -> None:
        self.status = head.status
        try:
            self.date = int(email.utils.parsedate_to_datetime(head.headers.get("date", "")).timestamp())
        except ValueError:
            self.date = None

    def data(self, data: memoryview) -> None:
        self.bytes_seen += len(data)


@dataclass(frozen=True, slots=True)
class _Question:
    archive: str
    source: Source
    path: str
    answer: _Answer = field(default_factory=_Answer)


def check_sources(settings: Settings) -> Reached:
    """Ask every source for the InRelease of its archive's first suite, each within REACH_TIMEOUT_S."""
    archives, _ = archives_of(settings.archive)
    questions = [
        _Question(archive.name, source, f"{suite_base(archive.suites[0])}InRelease" if archive.suites else "")
        for archive in archives.values()
        for source in archive.sources
    ]
    asked = questions[:SOURCES_MAX]
    asyncio.run(_ask(settings, asked))
    checks = [check for archive in archives.values() for check in _of_archive(archive, asked)]
    if len(questions) > SOURCES_MAX:
        saw = f"only the first {SOURCES_MAX} of {len(questions)} were asked"
        checks.append(CheckReport(name="sources", state="warn", saw=saw, todo="Ask all: tidegate sources probe"))
    return Reached(tuple(checks), tuple(each.answer.date for each in asked if each.answer.date is not None))


def _of_archive(archive: Archive, asked: list[_Question]) -> list[CheckReport]:
    """One check for each of its sources, and one for what it hangs on. One source that answers is enough."""
    ours = [question for question in asked if question.archive == archive.name]
    answering = [question for question in ours if not question.answer.failure]
    checks = [_judged(question, "warn" if answering else "bad") for question in ours]
    name = f"sources of {archive.name}"
    if (hanging := single_operator(archive)) is not None:
        checks.append(
            CheckReport(name=name, state="warn", saw=hanging[0], todo=f"{hanging[1][0].upper()}{hanging[1][1:]}.")
        )
    elif len(answering) == 1:
        saw = f"only {answering[0].source.url} of {len(ours)} answers; when it fails as well, nothing new comes"
        checks.append(CheckReport(name=name, state="warn", saw=saw, todo="See to the others, or name more."))
    elif answering:
        operators = len({question.source.operator for question in answering})
        saw = f"{len(answering)} of {len(ours)} answer, of {operators} operator{'' if operators == 1 else 's'}"
        checks.append(CheckReport(name=name, state="ok", saw=saw))
    return checks


async def _ask(settings: Settings, questions: list[_Question]) -> None:
    client = Client(settings.fetch)
    try:
        await asyncio.gather(*(_ask_one(client, question) for question in questions))
    finally:
        client.close()


async def _ask_one(client: Client, question: _Question) -> None:
    source = question.source
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            await client.get(source.endpoint, source.target(question.path), {}, question.answer)
    except TimeoutError:
        question.answer.failure = f"no whole answer within {REACH_TIMEOUT_S:.0f} s"
    except (FetchError, OSError) as error:
        question.answer.failure = str(error)


def _judged(question: _Question, if_silent: Literal["warn", "bad"]) -> CheckReport:
    name, answer, url = f"source of {question.archive}", question.answer, question.source.url
    if answer.failure:
        todo = "See whether this host reaches it (name service, firewall), or name another source."
        return CheckReport(name=name, state=if_silent, saw=f"{url}: {answer.failure}", todo=todo)
    if answer.status == 200 or not question.path:
        return CheckReport(name=name, state="ok", saw=f"{url} answers {answer.status}")
    # Flat and old archives may have Release and Release.gpg only.
    todo = "It has no InRelease there; right for one with Release and Release.gpg, wrong if the suite is misspelt."
    return CheckReport(name=name, state="warn", saw=f"{url} answers {answer.status} to {question.path}", todo=todo)
