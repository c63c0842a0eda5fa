"""Refuses a forged Host: a page elsewhere that points its own name at our port learns nothing.

DNS rebinding: threat 41.
"""

import ipaddress
from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HostCheck:
    """Around an application. `hosts` are names that a request may be to, besides addresses; `setting` says where
    they are set. No answer is stored, or sniffed for its type, where the application says nothing else."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], setting: str) -> None:
        self._app = app
        self._hosts = frozenset(name.lower() for name in hosts)
        self._setting = setting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._may(Request(scope).headers.get("host", "")):
            refusal = PlainTextResponse(f"this Host is not one of {self._setting}\n", 421)
            await refusal(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, guarded)

    def _may(self, host: str) -> bool:
        front, bracket, back = host.rpartition("]")
        name = front.removeprefix("[") if bracket else back.partition(":")[0]
        return name.lower() in self._hosts or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
