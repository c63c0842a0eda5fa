"""A `Listing` as SQL: conditions on an index of editions, on statements, and on the words of records."""

from tidegate.advisories.listing import PRIORITIES, By, Listing, phrases

_HOLDS = "{0}.since <= :at AND ({0}.until IS NULL OR {0}.until > :at)"
_RANK = "CASE e.priority " + " ".join(f"WHEN '{one}' THEN {at}" for at, one in enumerate(PRIORITIES)) + " ELSE 9 END"
_GROUPS = """
SELECT e.about AS about, max(e.published) AS published, max(e.modified) AS modified{rank} FROM {tables}
WHERE e.kind = :kind AND {conditions} GROUP BY e.about
"""
_PAGE = """
SELECT n.text, g.published, g.modified FROM ({groups}) g JOIN name n ON n.id = g.about
ORDER BY {order} LIMIT :limit OFFSET :offset
"""
_TOTAL = "SELECT count(DISTINCT e.about) FROM {tables} WHERE e.kind = :kind AND {conditions}"
_EDITIONS = "edition e"
# The words first: few records have them all.
_WORDED = "wording_text w CROSS JOIN edition e INDEXED BY edition_wording ON e.wording = w.rowid"
_STATED = "FROM subject s CROSS JOIN statement t ON t.subject = s.id {sayings}WHERE {conditions}"
FEW_SUBJECTS = 20_000
"""Up to so many, all that is stated of a package is gone through; beyond, each CVE is asked whether it has it."""
_IN_PACKAGES = "s.package IN (SELECT id FROM name WHERE instr(text, :package))"

Values = dict[str, object]


def page(listing: Listing, at: int, *, few: bool) -> tuple[str, Values]:
    """The page's rows: name, published, modified. `few`: what `few_subjects` found."""
    conditions, values = _conditions(listing, at, few=few)
    rank = f", min({_RANK}) AS rank" if listing.by is By.PRIORITY else ""
    groups = _GROUPS.format(rank=rank, tables=_tables(listing), conditions=conditions)
    values |= {"limit": listing.limit, "offset": listing.offset}
    return _PAGE.format(groups=groups, order=_order(listing)), values


def total(listing: Listing, at: int, *, few: bool) -> tuple[str, Values]:
    """How many there are, in one row."""
    conditions, values = _conditions(listing, at, few=few)
    return _TOTAL.format(tables=_tables(listing), conditions=conditions), values


def few_subjects(listing: Listing) -> tuple[str, Values]:
    """Whether few statements are about its package, in one row."""
    if not listing.package:
        return "SELECT TRUE", {}
    counted = f"SELECT 1 FROM subject s WHERE {_IN_PACKAGES} LIMIT :few + 1"  # noqa: S608 -- our own words
    return f"SELECT count(*) <= :few FROM ({counted})", {"package": listing.package, "few": FEW_SUBJECTS}  # noqa: S608


def _tables(listing: Listing) -> str:
    return _WORDED if listing.words else _EDITIONS


def _order(listing: Listing) -> str:
    when = "g.modified" if listing.by is By.MODIFIED else "g.published"
    direction = "ASC" if listing.oldest_first else "DESC"
    rank = "g.rank, " if listing.by is By.PRIORITY else ""
    return f"{rank}{when} {direction} NULLS LAST, n.text {direction}"


def _conditions(listing: Listing, at: int, *, few: bool) -> tuple[str, Values]:
    values: Values = {"kind": listing.kind.value, "at": at}
    conditions = [_HOLDS.format("e")]
    if listing.feeds:
        conditions.append(_among("e.feed", "feed", listing.feeds, values))
    if listing.priorities:
        conditions.append(_among("e.priority", "priority", listing.priorities, values))
    if listing.words:
        conditions.append("w.wording_text MATCH :words")
        values["words"] = _match(listing.words)
    if listing.cves:
        named = _among("c.text", "cve", listing.cves, values)
        conditions.append(f"e.record IN (SELECT m.record FROM mention m JOIN name c ON c.id = m.cve WHERE {named})")  # noqa: S608 -- names of our own values
    if listing.of_statements:
        stated = _stated(listing, values)
        about = f"e.about IN (SELECT s.about {stated})" if few else f"EXISTS (SELECT 1 {stated} AND s.about = e.about)"
        conditions.append(about)
    return " AND ".join(conditions), values


def _stated(listing: Listing, values: Values) -> str:
    conditions = [_HOLDS.format("t")]
    if listing.package:
        conditions.append(_IN_PACKAGES)
        values["package"] = listing.package
    if listing.releases:
        named = _among("release", "release", listing.releases, values)
        conditions.append(f"s.place IN (SELECT id FROM place WHERE {named})")  # noqa: S608 -- names of our own values
    if listing.statuses:
        conditions.append(_among("y.status", "status", [one.value for one in listing.statuses], values))
    sayings = "JOIN saying y ON y.id = t.saying " if listing.statuses else ""
    return _STATED.format(sayings=sayings, conditions=" AND ".join(conditions))


def _among(column: str, name: str, wanted: "tuple[str, ...] | list[str]", values: Values) -> str:
    named = {f"{name}_{number}": one for number, one in enumerate(wanted)}
    values.update(named)
    return f"{column} IN ({', '.join(':' + key for key in named)})"


def _match(words: str) -> str:
    """FTS5's way to ask: every phrase, the last word of each as a beginning. What has no word finds nothing."""
    looked_for = phrases(words)
    if not looked_for:
        return '""'
    return " AND ".join('"' + " ".join(phrase) + '" *' for phrase in looked_for)
