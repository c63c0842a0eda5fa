"""The line of a key is what sends a tired person to the right place."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from tidegate.config.lines import line_of, lines_of

TEXT = '''\
# [gateway] in a comment
[gateway]
listen = """
[keeper]
workers = 1
"""
"workers" = 2
tunnel_hosts = [
  "a:1",  # ]
  "[b]:2",
]
strict = false

[[archive]]
name = 'a # [x]'
[[archive.source]]
url = "http://a"
[[archive.source]]
url = "http://b"
[[archive]]
name = "b"
keyring = \'\'\'
-----BEGIN
[not a header]
\'\'\'
source = [{url = "http://c"}, {url = "http://d"}]
'''


def test_keys_and_headers_are_found_where_they_stand() -> None:
    tomllib.loads(TEXT)
    lines = lines_of(TEXT)
    assert lines["gateway", "listen"] == 3
    assert lines["gateway", "workers"] == 7
    assert lines["gateway", "tunnel_hosts"] == 8
    assert lines["gateway", "strict"] == 12
    assert lines["archive", 0] == 14
    assert lines["archive", 0, "source", 1] == 18
    assert lines["archive", 0, "source", 1, "url"] == 19
    assert lines["archive", 1, "keyring"] == 22
    assert ("keeper",) not in lines


def test_what_has_no_line_of_its_own_gets_the_one_around_it() -> None:
    lines = lines_of(TEXT)
    assert line_of(("archive", 1, "source", 1, "url"), lines) == 26
    assert line_of(("archive", 1, "suites"), lines) == 20
    assert line_of(("keeper", "grace_s"), lines) is None


def test_dotted_keys_are_found() -> None:
    assert lines_of("gateway.workers = 1\ngateway . 'strict' = true\n") == {
        ("gateway", "workers"): 1,
        ("gateway", "strict"): 2,
    }


def test_a_large_file_is_scanned_in_linear_time() -> None:
    text = "".join(f"a{number} = {number}\n" for number in range(50_000))
    assert lines_of(text)[("a49999",)] == 50_000


_VALUE = st.sampled_from(['"x # ["', "'y]'", "1", "[1, 2]", "{a = 1}", '"""\n[z]\nq = 1\n"""', "[\n 'a', # ]\n]"])


@given(st.lists(_VALUE, max_size=12))
def test_every_key_of_a_table_is_found_at_the_line_it_begins(values: list[str]) -> None:
    text, expected = "[t]\n", {}
    for number, value in enumerate(values):
        expected["t", f"k{number}"] = text.count("\n") + 1
        text += f"k{number} = {value}\n"
    tomllib.loads(text)
    found = lines_of(text)
    assert {path: found[path] for path in expected} == expected
    assert set(found) == {("t",), *expected}
