"""One message to one hook: what it says, how it is signed, and the POST itself (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tidegate import __version__
from tidegate.incidents.incident import Incident
from tidegate.incidents.settings import HookSettings

SECRET_BYTES_MIN = 16
SECRET_BYTES_MAX = 4096
ANSWER_BYTES_MAX = 4096
_PREFIX = "whsec_"


class HookMessage(Struct, frozen=True, kw_only=True):
    """What a hook is told: an incident, as it stands. Times are epoch seconds."""

    type: str
    """`incident.open`, `incident.mitigated` or `incident.closed`."""
    timestamp: float
    incident: str
    title: str
    about: str
    name: str
    severity: int
    drill: str
    started_at: float
    mitigated_at: float | None
    closed_at: float | None
    reopened: int


class HookError(Exception):
    """It was not delivered: a sentence."""


def message(one: Incident, now: float) -> tuple[str, bytes]:
    """A message's id, the same for each try, and its body."""
    told = HookMessage(
        type=f"incident.{one.state}",
        timestamp=now,
        incident=one.id,
        title=one.title,
        about=one.about,
        name=one.name,
        severity=one.severity,
        drill=one.drill,
        started_at=one.started_at,
        mitigated_at=one.mitigated_at,
        closed_at=one.closed_at,
        reopened=one.reopened,
    )
    return f"{one.id}.{one.reopened}.{one.severity}.{one.state}", msgspec.json.encode(told)


def secret_of(path: str) -> bytes:
    """The key in a file: base64 behind `whsec_`, else the bytes themselves but for white space. Raises HookError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(SECRET_BYTES_MAX).strip()
    except OSError as error:
        raise HookError(f"its secret cannot be read: {error.strerror}: {path}") from None
    if data.startswith(_PREFIX.encode()):
        try:
            data = base64.b64decode(data[len(_PREFIX) :], validate=True)
        except ValueError:
            raise HookError(f"its secret is no base64 behind {_PREFIX}: {path}") from None
    if len(data) < SECRET_BYTES_MIN:
        raise HookError(f"its secret has fewer than {SECRET_BYTES_MIN} bytes: {path}")
    return data


def signature(secret: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def post(hook: HookSettings, identity: str, body: bytes, timestamp: int) -> None:
    """Deliver it, once. Follows no redirect. Blocks. Raises HookError."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"tidegate/{__version__}",
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
    }
    if hook.secret_file:
        headers["webhook-signature"] = signature(secret_of(hook.secret_file), identity, timestamp, body)
    url = urlsplit(hook.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        connection = _connection(url.scheme, url.netloc, hook.timeout_s)
        try:
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            answer.read(ANSWER_BYTES_MAX)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise HookError(f"it cannot be reached: {str(error) or type(error).__name__}") from None
    if not 200 <= answer.status < 300:
        raise HookError(f"it answered {answer.status}")


def _connection(scheme: str, place: str, timeout_s: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(place, timeout=timeout_s, context=ssl.create_default_context())
    return http.client.HTTPConnection(place, timeout=timeout_s)
