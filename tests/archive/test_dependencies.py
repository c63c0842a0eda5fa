"""Relations between packages: policy's grammar, and nothing beside it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, fewer, refusal
from tidegate.archive import dependencies
from tidegate.archive.deb822 import stanzas
from tidegate.archive.dependencies import Relation, allows, parse_dependencies, parse_names, parse_provides, written
from tidegate.archive.errors import FormatError
from tidegate.archive.versions import compare, version_key

REAL = (DATA / "archive/bookworm.Packages").read_bytes()
OPERATORS = ("<<", "<=", "=", ">=", ">>")

names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
qualifiers = st.sampled_from(["", "any", "native", "amd64", "kfreebsd-i386"])
versions = st.from_regex(r"([0-9]:)?[0-9][a-z0-9.+~]{0,6}(-[0-9a-z.+~]{1,3})?", fullmatch=True)
relations = st.builds(
    lambda name, qualifier, operator, version: Relation(
        name, qualifier, operator, version if operator else "", version_key(version) if operator else b""
    ),
    names,
    qualifiers,
    st.sampled_from(["", *OPERATORS]),
    versions,
)


@fewer
@given(st.lists(st.lists(relations, min_size=1, max_size=3).map(tuple), max_size=5).map(tuple), st.randoms())
def test_what_was_written_is_read_again_whatever_the_blanks(
    wanted: tuple[tuple[Relation, ...], ...], random: Random
) -> None:
    def blank() -> str:
        return str(random.choice(["", " ", "\n ", "\t"]))

    text = ",".join(
        "|".join(f"{blank()}{relation}{blank()}".replace(" (", random.choice([" (", "("])) for relation in group)
        for group in wanted
    )
    assert parse_dependencies(text) == wanted
    assert parse_dependencies(", ".join(map(written, wanted))) == wanted


def test_every_relation_of_real_debian_is_read() -> None:
    count = 0
    for fields in stanzas(REAL):
        for field in ("depends", "pre-depends", "recommends"):
            read = parse_dependencies(fields.get(field, ""))
            assert ", ".join(map(written, read)) == fields.get(field, "")
            count += len(read)
        for field in ("conflicts", "breaks"):
            assert ", ".join(map(str, parse_names(fields.get(field, "")))) == fields.get(field, "")
        assert ", ".join(map(str, parse_provides(fields.get("provides", "")))) == fields.get("provides", "")
    assert count > 100


@pytest.mark.parametrize(
    "text",
    [
        *("a b", "a |", "| a", "a || b", "a ()", "a (1)", "a (>= )", "a (== 1)", "a (!= 1)", "a (>= 1", "a >= 1)"),
        *("a (>= 1) x", "a:", "a:Any", "a::any", "-a", "a (>= 1 2)", "a (>= 1)(<< 2)", "a (= é)", "ä", "a (>= x:1)"),
        *("a [amd64]", "a <!nocheck>", "${misc:Depends}", "a\0", "a/stable", "a=1"),
    ],
)
def test_what_is_no_relation_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_dependencies(text)


@given(st.text(alphabet="ab:|,()<>= \n1.-~$[]", max_size=30))
def test_any_text_gives_relations_or_a_format_error(text: str) -> None:
    def read() -> None:
        again = ", ".join(map(written, parse_dependencies(text)))
        assert parse_dependencies(again) == parse_dependencies(text)

    assert refusal(read).isprintable()


def test_empty_places_need_nothing() -> None:
    assert parse_dependencies(" , a,, b ,") == parse_dependencies("a, b")
    assert parse_dependencies(" \n ") == ()


def test_operators_of_old_are_read_as_they_were_meant() -> None:
    assert parse_dependencies("a (< 1), b (> 2)") == parse_dependencies("a (<= 1), b (>= 2)")


@given(versions, versions, st.sampled_from(OPERATORS))
def test_operators_are_the_order_of_versions(own: str, other: str, operator: str) -> None:
    ((relation,),) = parse_dependencies(f"a ({operator} {other})")
    order = compare(own, other)
    expected = {"<<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">>": order > 0}
    assert allows(relation, version_key(own)) == expected[operator]


def test_a_name_without_a_version_meets_only_what_asks_for_none() -> None:
    (any_version,), (some_version,) = parse_dependencies("a, a (>= 0)")
    assert allows(any_version, None)
    assert not allows(some_version, None)


def test_alternatives_are_refused_where_there_can_be_none() -> None:
    with pytest.raises(FormatError, match="alternatives"):
        parse_names("a | b")


@pytest.mark.parametrize("text", ["a (>= 1)", "a (<< 1)", "a | b"])
def test_only_one_version_can_be_provided(text: str) -> None:
    with pytest.raises(FormatError):
        parse_provides(text)


def test_fields_beyond_the_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="relations in a field"):
        parse_dependencies("a," * (dependencies.RELATIONS_MAX + 1))
    monkeypatch.setattr(dependencies, "FIELD_CHARS_MAX", 10)
    with pytest.raises(FormatError, match="longer"):
        parse_dependencies("a" * 11)
