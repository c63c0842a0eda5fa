"""A real Chromium, driven over its DevTools pipe: pages opened, looked at, and all that they ask for written down.

https://chromedevtools.github.io/devtools-protocol/ over descriptors 3 and 4: JSON, each message ended by a NUL.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome", "chromium-browser")
ANSWER_TIMEOUT_S = 60.0
WAIT_S = 30.0
POLL_S = 0.05
_CHUNK_BYTES = 1 << 20
_FLAGS = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
)


def program() -> str | None:
    """The browser of this machine, if there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@dataclass
class Seen:
    """What a page did."""

    console: list[str] = field(default_factory=list)
    """Errors and warnings, of scripts and of the browser: refused by a policy, not found, thrown."""
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


class Page:
    """One tab."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser = browser
        self._session = session
        self.seen = Seen()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command, and its answer."""
        return self._browser.send(method, self._session, **parameters)

    def look(self, *, width: int = 1100, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        """How it is looked at from now on."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, url: str) -> None:
        """Go there, and wait until it is there."""
        failed = self.send("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        """What an expression comes to; promises are awaited. It works where the page's own scripts may not run."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Until the expression holds."""
        self._browser.until(lambda: bool(self.run(script)), script)

    def shot(self, path: Path, *, height: int | None = None) -> None:
        """A picture of the whole page, or of so much from its top."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        told = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))

    def heard(self, method: str, told: dict[str, Any]) -> None:
        """An event of this tab."""
        match method:
            case "Runtime.exceptionThrown":
                self.seen.console.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.seen.console.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.seen.console.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.seen.requests.append(told["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.seen.dialogs.append(told["message"])
                self._browser.post("Page.handleJavaScriptDialog", self._session, accept=False)


class Chromium:
    """From `with` to its end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._answers: dict[int, dict[str, Any]] = {}
        self._pages: dict[str, Page] = {}
        self._number = 0
        self._rest = b""

    def __enter__(self) -> "Chromium":
        self._home = tempfile.mkdtemp(prefix="chromium-")
        read_by_it, self._out = os.pipe()
        self._in, written_by_it = os.pipe()
        # High numbers first: 3 and 4 may be what one of these already is.
        high = [os.dup2(fd, number) for fd, number in ((read_by_it, 203), (written_by_it, 204))]
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, 203, 3), (os.POSIX_SPAWN_DUP2, 204, 4)]
        actions += [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        command = [self._path, *_FLAGS, f"--user-data-dir={self._home}", "about:blank"]
        self._pid = os.posix_spawn(
            self._path, command, {**os.environ, "HOME": self._home}, file_actions=actions, setpgroup=0
        )
        for fd in (read_by_it, written_by_it, *high):
            os.close(fd)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._out)
        os.close(self._in)
        shutil.rmtree(self._home, ignore_errors=True)

    @contextlib.contextmanager
    def page(self) -> Iterator[Page]:
        """A tab of its own, with no cookie, cache or history of another."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        self._pages[session] = page
        try:
            yield page
        finally:
            self._pages.pop(session)
            self.send("Target.disposeBrowserContext", browserContextId=context)

    def send(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """A command, and its answer; what happens meanwhile is heard."""
        number = self.post(method, session, **parameters)
        self.until(lambda: number in self._answers, method)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def post(self, method: str, session: str | None = None, /, **parameters: Any) -> int:
        """A command, whose answer nobody waits for."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self._out, left) :]
        return self._number

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Hear what comes in until it holds."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {ANSWER_TIMEOUT_S} s: {what}"
            self._hear(POLL_S)

    def _hear(self, timeout_s: float) -> None:
        if not select.select([self._in], [], [], timeout_s)[0]:
            return
        data = os.read(self._in, _CHUNK_BYTES)
        assert data, "the browser ended"
        *whole, self._rest = (self._rest + data).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            elif page := self._pages.get(message.get("sessionId", "")):
                page.heard(message["method"], message["params"])
