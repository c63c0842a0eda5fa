"""What `tidegate advisories` tells: of each feed how old it is, and of one advisory what each feed says."""

from msgspec import Struct


class Excerpt(Struct, frozen=True, kw_only=True):
    """A source that was passed over, and why."""

    source: str
    reason: str


class FeedReport(Struct, frozen=True, kw_only=True):
    """One feed. Times are epoch seconds; null where there is none.

    `state`: `current`, `old` (by `fleet.feed_confirmed_max_s` or `fleet.feed_published_max_s`), or `missing`.
    `current_at` is when it was last seen to be the newest, `published_at` what it says itself about its age, `next_at`
    when it is looked at again: null where nobody may be asked, 0 where it is due. `kept`: it is in the settings, and
    not only left from earlier. `verified`: `signature`, `digest-list`, or `nothing` but TLS.
    """

    name: str
    title: str
    state: str
    kept: bool
    current_at: int | None
    age_s: int | None
    fetched_at: int | None
    published_at: int | None
    origin: str | None
    verified: str | None
    records: int | None
    unreadable: int | None
    file: str | None
    file_bytes: int | None
    next_at: int | None
    doing: str | None
    trouble: str | None
    sources: tuple[str, ...]


class FeedsReport(Struct, frozen=True, kw_only=True):
    """`tidegate advisories status`. `running`: a desk keeps them; otherwise they are as it left them."""

    at: int
    running: bool
    offline: bool
    feeds: tuple[FeedReport, ...]
    notes: tuple[str, ...]


class RefreshRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which feeds to look at now: none named, all that are kept. `path`: there, and not where they are from."""

    feeds: tuple[str, ...] = ()
    path: str = ""
    accept_loss: bool = False


class StepReport(Struct, frozen=True, kw_only=True, tag="step"):
    """What is being done. `records`: how many were looked at."""

    feed: str
    text: str
    records: int | None = None


class RefreshedReport(Struct, frozen=True, kw_only=True, tag="refreshed"):
    """How one feed came out: `taken-in`, `same`, `not-brought`, `busy` or `failed` (our own disk)."""

    feed: str
    outcome: str
    source: str | None = None
    verified: str | None = None
    records: int | None = None
    read: int | None = None
    retracted: int | None = None
    statements_changed: int | None = None
    problems: int | None = None
    first_problems: tuple[str, ...] = ()
    passed_over: tuple[Excerpt, ...] = ()
    trouble: str | None = None

    @property
    def ok(self) -> bool:
        """Whether we have the newest now."""
        return self.outcome in ("taken-in", "same")


class AdvisoriesRefreshReport(Struct, frozen=True, kw_only=True):
    """`tidegate advisories refresh`."""

    feeds: tuple[RefreshedReport, ...]


class StatementReport(Struct, frozen=True, kw_only=True):
    """What a record says of a source package in a release, since when."""

    feed: str
    record: str
    about: str
    package: str
    distribution: str
    release: str
    pocket: str
    status: str
    fixed: str | None
    introduced: str | None
    urgency: str
    note: str
    since: int


class Judgement(Struct, frozen=True, kw_only=True):
    """How bad somebody says it is."""

    feed: str
    scheme: str
    value: str


class RecordReport(Struct, frozen=True, kw_only=True):
    """A feed's record, as it was at the moment that is told of."""

    feed: str
    id: str
    kind: str
    title: str
    description: str
    published: int | None
    modified: int | None
    withdrawn: int | None
    cves: tuple[str, ...]
    upstream: tuple[str, ...]
    related: tuple[str, ...]
    references: tuple[str, ...]
    facts: dict[str, str]
    since: int


class BasisReport(Struct, frozen=True, kw_only=True):
    """A feed that the answer stands on, and how old it was at the moment that is told of."""

    feed: str
    current_at: int
    age_s: int
    published_at: int | None
    state: str
    verified: str
    unreadable: int


class ScoreReport(Struct, frozen=True, kw_only=True):
    """EPSS."""

    probability: float
    percentile: float | None


class UnreadableReport(Struct, frozen=True, kw_only=True):
    """A record about it that could not be read: what it said before is no longer known to be so."""

    feed: str
    record: str
    what: str
    since: int


class AdvisoryReport(Struct, frozen=True, kw_only=True):
    """`tidegate advisories show`. `as_of` is the moment that is told of, `at` now.

    `state`: `current` where of each distribution that is followed some tracker, OSV or VEX feed was young enough, else
    `old`, or `missing` where no such feed was taken in by then. `found`: somebody has said something about it.
    """

    id: str
    at: int
    as_of: int
    state: str
    found: bool
    records: tuple[RecordReport, ...]
    statements: tuple[StatementReport, ...]
    notices: tuple[RecordReport, ...]
    exploited: RecordReport | None
    epss: ScoreReport | None
    severities: tuple[Judgement, ...]
    unreadable: tuple[UnreadableReport, ...]
    basis: tuple[BasisReport, ...]
