"""Tokens: only a digest is kept, a change counts at once, and a file that cannot be read lets nobody in."""

import threading
from pathlib import Path

import pytest

from tidegate.store.tokens import PREFIX, Scope, TokenError, TokenFile, UnusableTokensError

NOW = 1_800_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_token_is_found_by_its_secret_of_which_only_the_digest_is_kept(path: Path) -> None:
    secret, token = TokenFile(path).add("web", Scope.REPORT, NOW, tags=["a"], hosts=["h"])
    assert secret.startswith(PREFIX)
    assert len(secret) >= 43 + len(PREFIX)
    assert TokenFile(path).find(secret, Scope.REPORT, NOW) == token
    assert (token.tags, token.hosts, token.made_at) == (("a",), ("h",), NOW)
    assert secret.removeprefix(PREFIX) not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong", ["", "x", "é\udce9", "t" * 10_000])
def test_another_secret_finds_nothing(wrong: str, path: Path) -> None:
    file = TokenFile(path)
    assert file.find(wrong, Scope.REPORT, NOW) is None
    file.add("web", Scope.REPORT, NOW)
    assert file.find(wrong, Scope.REPORT, NOW) is None


def test_a_token_counts_until_it_expires(path: Path) -> None:
    file = TokenFile(path)
    secret, _ = file.add("web", Scope.REPORT, NOW, expires_at=NOW + 10)
    assert file.find(secret, Scope.REPORT, NOW + 9) is not None
    assert file.find(secret, Scope.REPORT, NOW + 10) is None


def test_a_change_by_another_process_counts_at_once(path: Path) -> None:
    serving, command = TokenFile(path), TokenFile(path)
    secret, token = command.add("web", Scope.REPORT, NOW)
    assert serving.find(secret, Scope.REPORT, NOW) == token
    assert command.remove("web")
    assert serving.find(secret, Scope.REPORT, NOW) is None
    assert not command.remove("web")
    command.add("web", Scope.REPORT, NOW)
    path.unlink()
    assert serving.all() == ()


def test_tokens_that_are_made_at_once_are_all_kept(path: Path) -> None:
    makers = [
        threading.Thread(target=TokenFile(path).add, args=(f"t{number}", Scope.REPORT, NOW)) for number in range(20)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(TokenFile(path).all()) == 20


@pytest.mark.parametrize(
    ("name", "expires_at", "why"),
    [
        ("", None, "a token's name"),
        ("a b", None, "a token's name"),
        ("web", NOW, "expired"),
        ("there", None, "already"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(name: str, expires_at: int | None, why: str, path: Path) -> None:
    file = TokenFile(path)
    file.add("there", Scope.REPORT, NOW)
    with pytest.raises(TokenError, match=why):
        file.add(name, Scope.REPORT, NOW, expires_at=expires_at)
    assert [one.name for one in file.all()] == ["there"]


@pytest.mark.parametrize(
    "content", ["", "{", "{}", '{"version": 2, "tokens": []}', '{"version": 1, "tokens": [{"name": "a"}]}']
)
def test_a_file_that_cannot_be_read_lets_nobody_in_and_is_not_overwritten(content: str, path: Path) -> None:
    file = TokenFile(path)
    secret, _ = file.add("web", Scope.REPORT, NOW)
    path.write_text(content)
    for work in (lambda: file.find(secret, Scope.REPORT, NOW), lambda: file.add("b", Scope.REPORT, NOW)):
        with pytest.raises(UnusableTokensError, match=r"tokens\.json"):
            work()
    assert path.read_text() == content


def test_what_a_killed_command_left_is_in_nobodys_way(path: Path) -> None:
    path.with_name("tokens.json.new").write_text("half")
    secret, _ = TokenFile(path).add("web", Scope.REPORT, NOW)
    assert TokenFile(path).find(secret, Scope.REPORT, NOW) is not None
    assert list(path.parent.iterdir()) == [path]
