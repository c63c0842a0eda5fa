"""The status page on its way to a bucket: signed as S3 has it, told when it fails, and the newest one in the end."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.wiring.bucket import ACCESS, BUCKET, REGION, SECRET, Keeper, strict_bucket, versitygw
from tidegate.web.settings import StatusSettings
from tidegate.wiring import status_outlets
from tidegate.wiring.news import News
from tidegate.wiring.status_bucket import BucketError, Key, authorization, key_of
from tidegate.wiring.status_outlets import Bucket, Files, Outlet, run_command

FILES = {"feed.atom": b"<feed/>", "feed.json": b"{}", "status.json": b"{}", "index.html": b"<p>"}
GO = "go install github.com/versity/versitygw/cmd/versitygw@latest"


@pytest.fixture(autouse=True)
def key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def settings(url: str, place: str = f"s3://{BUCKET}/of/updates", *, region: str = REGION) -> StatusSettings:
    return StatusSettings(s3=place, s3_endpoint=url, s3_region=region, publish_timeout_s=20)


def deliver(asked: StatusSettings, files: Files = FILES) -> None:
    assert asyncio.run(Bucket().deliver(asked, files))


def trouble(asked: StatusSettings) -> str:
    with pytest.raises(BucketError) as found:
        deliver(asked)
    assert SECRET not in str(found.value)
    return str(found.value)


def test_signature_is_the_one_that_amazon_prints() -> None:
    """ "Examples: Signature Calculations", the PUT: its key, its request, its signature."""
    key = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    digest = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    headers = {
        "date": "Fri, 24 May 2013 00:00:00 GMT",
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": digest,
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    signed = authorization(key, "us-east-1", "PUT", "/test%24file.text", headers, "20130524T000000Z", digest)
    assert signed.endswith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    assert "wJalr" not in signed + repr(key)


def test_files_arrive_in_order_with_their_types_and_only_those_that_changed() -> None:
    with strict_bucket() as keeper:
        bucket, asked = Bucket(), settings(keeper.url)
        asyncio.run(bucket.deliver(asked, FILES))
        folder = f"/{BUCKET}/of/updates"
        assert keeper.puts == [f"{folder}/{name}" for name in FILES]
        assert keeper.connections == 1
        types = [headers["content-type"] for _, headers in keeper.objects.values()]
        assert types == [
            "application/atom+xml",
            "application/json",
            "application/json",
            "text/html; charset=utf-8",
        ]
        assert {headers["cache-control"] for _, headers in keeper.objects.values()} == {"max-age=60"}
        asyncio.run(bucket.deliver(asked, FILES | {"index.html": b"<p>new"}))
        assert keeper.puts[len(FILES) :] == [f"{folder}/index.html"]
        assert keeper.objects[f"{folder}/index.html"][0] == b"<p>new"
        asyncio.run(bucket.deliver(settings(keeper.url, f"s3://{BUCKET}"), FILES))
        assert keeper.puts[len(FILES) + 1 :] == [f"/{BUCKET}/{name}" for name in FILES]


def test_what_is_wrong_is_said_in_a_sentence_that_stays_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with strict_bucket() as keeper:
        assert trouble(settings(keeper.url, "s3://elsewhere")).endswith("404 NoSuchBucket: there is no such bucket")
        assert "another region than status.s3_region" in trouble(settings(keeper.url, region="us-east-1"))
        keeper.answers = [(301, "PermanentRedirect"), (503, "SlowDown"), (500, ""), (302, "")]
        assert "the bucket is in region us-west-2, status.s3_region is eu-central-1" in trouble(settings(keeper.url))
        assert trouble(settings(keeper.url)).endswith("503 SlowDown: it is too busy")
        assert trouble(settings(keeper.url)).endswith("answered 500")
        assert trouble(settings(keeper.url)).endswith("answered 302")
        keeper.ahead_s = 3600
        assert "this machine's clock is 60 minutes behind the bucket's" in trouble(settings(keeper.url))
        keeper.ahead_s = -3600
        assert "this machine's clock is 60 minutes ahead of the bucket's" in trouble(settings(keeper.url))
        keeper.ahead_s = 0
        keeper.hangs.set()
        hasty = StatusSettings(s3=f"s3://{BUCKET}", s3_endpoint=keeper.url, s3_region=REGION, publish_timeout_s=1)
        assert trouble(hasty) == f"s3://{BUCKET} took more than 1 s"
        keeper.hangs.clear()
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        assert "the secret of the key is wrong" in trouble(settings(keeper.url))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        assert "the key is not known there" in trouble(settings(keeper.url))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        assert "there is no key" in trouble(settings(keeper.url))
        assert keeper.puts == []
    assert "cannot be reached" in trouble(
        StatusSettings(s3=f"s3://{BUCKET}", s3_endpoint=keeper.url, s3_credentials_file=str(written(tmp_path)))
    )


def written(folder: Path, text: str = "") -> Path:
    path = folder / "credentials"
    path.write_text(text or f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    return path


def test_key_is_read_from_a_file_as_the_tools_of_amazon_write_it(tmp_path: Path) -> None:
    assert key_of(str(written(tmp_path)), {}) == Key(ACCESS, SECRET)
    text = "[default]\naws_access_key_id=a\naws_secret_access_key=b%c\naws_session_token=d==\n[other]\nregion=x\n"
    assert key_of(str(written(tmp_path, text)), os.environ) == Key("a", "b%c", "d==")
    for bad in ("[default]\naws_access_key_id=a\n", "[other]\naws_access_key_id=a\naws_secret_access_key=s3cret\n"):
        with pytest.raises(BucketError, match="there is no key: no aws_access_key_id"):
            key_of(str(written(tmp_path, bad)), os.environ)
    with pytest.raises(BucketError, match="not written as the AWS tools write it") as found:
        key_of(str(written(tmp_path, "s3cret\n")), {})
    assert "s3cret" not in str(found.value)
    with pytest.raises(BucketError, match="characters that no key has") as found:
        key_of("", {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": "s3cret\n"})
    assert "s3cret" not in str(found.value)
    with pytest.raises(BucketError, match="No such file"):
        key_of(str(tmp_path / "none"), os.environ)


def test_newest_page_arrives_once_the_bucket_is_back_and_no_older_one_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_outlets, "AGAIN_FIRST_S", 0.02)
    monkeypatch.setattr(status_outlets, "AGAIN_MAX_S", 0.05)
    with strict_bucket() as keeper:
        tries, told = asyncio.run(outage(keeper, pages=50))
    assert [one.level for one in told] == ["error", "info"]
    assert "503" in told[0].text
    bodies = [keeper.objects[path][0] for path in keeper.puts]
    assert bodies == [b"49"]
    assert tries < 50


async def outage(keeper: Keeper, pages: int) -> tuple[int, list[News]]:
    """The bucket's keeper is unwell while so many pages are written, and then well again."""
    told: list[News] = []
    keeper.answers = [(503, "SlowDown")] * 1_000
    outlet = Outlet(Bucket().deliver, lambda: settings(keeper.url), told.append)
    async with asyncio.timeout(30):
        running = asyncio.create_task(outlet.run())
        for number in range(pages):
            outlet.offer({"index.html": str(number).encode()})
            await asyncio.sleep(0.002)
        await asyncio.to_thread(until, lambda: len(keeper.answers) < 998)
        tries = 1_000 - len(keeper.answers)
        keeper.answers.clear()
        await asyncio.to_thread(until, lambda: len(told) == 2)
        running.cancel()
    return tries, told


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(shutil.which("versitygw") is None, reason=f"no real keeper of buckets here: {GO}")
def test_real_keeper_of_buckets_takes_it_and_refuses_other_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with versitygw(tmp_path) as url:
        deliver(settings(url))
        folder = tmp_path / BUCKET / "of/updates"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
        assert os.getxattr(folder / "index.html", "user.content-type") == b"text/html; charset=utf-8"
        assert os.getxattr(folder / "index.html", "user.cache-control") == b"max-age=60"
        assert "there is no such bucket" in trouble(settings(url, "s3://elsewhere"))
        assert "another region" in trouble(settings(url, region="us-west-2"))
        monkeypatch.setattr("time.time", lambda: 1.8e9)
        assert "RequestTimeTooSkewed: this machine's clock is" in trouble(settings(url))
        monkeypatch.undo()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        assert "the secret of the key is wrong" in trouble(settings(url))


def test_command_that_fails_or_hangs_is_told(tmp_path: Path) -> None:
    def said(code: str, timeout_s: int) -> str:
        command = (sys.executable, "-c", code)
        asked = StatusSettings(directory=str(tmp_path), publish=command, publish_timeout_s=timeout_s)
        with pytest.raises(OSError, match=sys.executable) as found:
            asyncio.run(run_command(asked, FILES))
        return str(found.value)

    assert said("import sys; sys.exit('no way there')", 20).endswith("ended with 1: no way there")
    assert said("import time; time.sleep(600)", 1).endswith("took more than 1 s")
    assert not asyncio.run(run_command(StatusSettings(directory=str(tmp_path)), FILES))


def test_places_that_are_none_are_refused_with_the_settings() -> None:
    for bad in (
        {"s3": "bucket"},
        {"s3": "s3://b/../x y"},
        {"s3_endpoint": "https://key:secret@host"},
        {"s3_endpoint": "https://host:port"},
        {"s3_region": ""},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(bad), type=StatusSettings)
