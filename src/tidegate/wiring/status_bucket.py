"""The status page in a bucket that speaks S3: a PUT for each file, signed by hand (AWS Signature Version 4).

Whole objects of some kilobytes are all that is put, so that no client of S3 is needed for it: of those looked at one
took 17 MB and one killed processes at their end.
"""

import configparser
import hashlib
import hmac
import http.client
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from tidegate import __version__
from tidegate.web.settings import StatusSettings

WAIT_MAX_S = 20.0
"""For one answer."""
ANSWER_BYTES_MAX = 65_536
KEY_FILE_BYTES_MAX = 16_384
CACHE_CONTROL = "max-age=60"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".atom": "application/atom+xml",
    ".json": "application/json",
}
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,60})</Code>")
_WORDS = re.compile(r"[!-~]+")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_KEY_WORDS = ("access_key_id", "secret_access_key", "session_token")
_ALGORITHM = "AWS4-HMAC-SHA256"
_TROUBLES = {
    "InvalidAccessKeyId": "the key is not known there",
    "SignatureDoesNotMatch": "the secret of the key is wrong",
    "ExpiredToken": "the key has expired",
    "AccessDenied": "the key may not write there",
    "NoSuchBucket": "there is no such bucket",
    "PermanentRedirect": "the bucket is in another region than status.s3_region",
    "AuthorizationHeaderMalformed": "the bucket is in another region than status.s3_region",
    "SlowDown": "it is too busy",
}


class BucketError(OSError):
    """It is not there: a sentence, without anything of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """Who signs."""

    name: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def key_of(path: str, environment: Mapping[str, str]) -> Key:
    """From a file as the AWS tools write it, section `default`; else from the environment. Raises BucketError."""
    if not path:
        found = Key(*(environment.get(f"AWS_{name.upper()}", "") for name in _KEY_WORDS))
        where = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, nor is status.s3_credentials_file"
    else:
        found, where = _key_in(path), f"no aws_access_key_id and aws_secret_access_key under [default] in {path}"
    if not found.name or not found.secret:
        raise BucketError(f"there is no key: {where}")
    if not _WORDS.fullmatch(found.name + found.secret + found.token):
        raise BucketError("its key has characters that no key has")
    return found


def _key_in(path: str) -> Key:
    try:
        with Path(path).open("rb") as file:
            text = file.read(KEY_FILE_BYTES_MAX).decode()
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
    except OSError as error:
        raise BucketError(f"its key cannot be read: {error.strerror}: {path}") from None
    except (configparser.Error, UnicodeDecodeError):  # whose text shows lines of it
        raise BucketError(f"its key cannot be read: not written as the AWS tools write it: {path}") from None
    section = parser["default"] if parser.has_section("default") else {}
    return Key(*(section.get(f"aws_{name}", "") for name in _KEY_WORDS))


def authorization(
    key: Key, region: str, method: str, path: str, headers: Mapping[str, str], stamp: str, digest: str
) -> str:
    """The header that signs all of `headers` (lower case, the host among them), a path as it is sent and no query.
    `stamp`: the x-amz-date, `digest`: the body's SHA-256 (AWS, "Signature calculations for the Authorization
    header")."""
    names = sorted(headers)
    signed = ";".join(names)
    canonical = "\n".join((method, path, "", *(f"{one}:{headers[one].strip()}" for one in names), "", signed, digest))
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signing = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.digest(signing, text.encode(), "sha256").hex()
    return f"{_ALGORITHM} Credential={key.name}/{scope},SignedHeaders={signed},Signature={signature}"


class Delivery:
    """Files on their way, in a thread; whoever began it may give it up from another."""

    def __init__(self, settings: StatusSettings) -> None:
        place = urlsplit(settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com")
        self._host, self._region = place.netloc, settings.s3_region
        self._bucket, _, prefix = settings.s3.removeprefix("s3://").partition("/")
        self._folder = "/".join(("", self._bucket, *filter(None, prefix.split("/"))))
        self._key_file = settings.s3_credentials_file
        self._given_up = False
        self._connection = _connection(place.scheme, self._host)

    def put(self, files: Mapping[str, bytes]) -> None:
        """In their order, each whole or as it was, over one connection. Blocks. Raises BucketError."""
        key = key_of(self._key_file, os.environ)
        try:
            self._connection.connect()
            for name, data in files.items():
                if self._given_up:
                    return
                self._put(key, name, data)
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
            if isinstance(error, BucketError):
                raise
            raise BucketError(f"{self._host} cannot be reached: {str(error) or type(error).__name__}") from None
        finally:
            self._connection.close()

    def give_up(self) -> None:
        """Let `put` end soon, whatever it waits for."""
        self._given_up = True
        waits_on = self._connection.sock
        if waits_on is not None:
            try:
                waits_on.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def _put(self, key: Key, name: str, data: bytes) -> None:
        now = time.time()
        stamp, digest = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)), hashlib.sha256(data).hexdigest()
        path = quote(f"{self._folder}/{name}", safe="/-_.~")
        headers = {
            "cache-control": CACHE_CONTROL,
            "content-type": CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream"),
            "host": self._host,
            "x-amz-content-sha256": digest,
            "x-amz-date": stamp,
        }
        if key.token:
            headers["x-amz-security-token"] = key.token
        signed = authorization(key, self._region, "PUT", path, headers, stamp, digest)
        unsigned = {"user-agent": f"tidegate/{__version__}", "authorization": signed}
        self._connection.request("PUT", path, data, headers | unsigned)
        answer = self._connection.getresponse()
        said = answer.read(ANSWER_BYTES_MAX)
        if answer.status != http.client.OK:
            raise BucketError(self._trouble(answer, said, now))

    def _trouble(self, answer: http.client.HTTPResponse, said: bytes, now: float) -> str:
        """The same words for the same trouble: it is told once."""
        found = _CODE.search(said)
        code = found[1].decode() if found else ""
        shown = f"{self._host} answered {answer.status}" + (f" {code}" if code else "")
        if code == "RequestTimeTooSkewed":
            return f"{shown}: {_skew(answer.getheader('Date', ''), now)}"
        region = answer.getheader("x-amz-bucket-region", "")
        if region != self._region and _REGION.fullmatch(region):
            return f"{shown}: the bucket is in region {region}, status.s3_region is {self._region}"
        return f"{shown}: {_TROUBLES[code]}" if code in _TROUBLES else shown


def _skew(date: str, now: float) -> str:
    """In minutes, so that it stays the same from try to try."""
    try:
        minutes = round((now - parsedate_to_datetime(date).timestamp()) / 60)
    except ValueError:
        return "its clock and this machine's differ too much; `timedatectl` says whether this one is set"
    way = "ahead of" if minutes > 0 else "behind"
    return f"this machine's clock is {abs(minutes)} minutes {way} the bucket's; `timedatectl` says whether it is set"


def _connection(scheme: str, host: str) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, timeout=WAIT_MAX_S, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, timeout=WAIT_MAX_S)
