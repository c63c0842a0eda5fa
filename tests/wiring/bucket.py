"""Keepers of buckets for the tests: a small one that believes no request, and a real one where it is installed."""

import hashlib
import hmac
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCESS, SECRET = "tester", "testersecret/with+signs"
BUCKET = "status-example"
REGION = "eu-central-1"
SKEW_MAX_S = 900


@dataclass
class Keeper:
    """Knows one key and one bucket; answers as S3 does, and notes what was put in which order."""

    url: str = ""
    ahead_s: float = 0.0
    answers: list[tuple[int, str]] = field(default_factory=list)
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    connections: int = 0
    hangs: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        return time.time() + self.ahead_s

    def judge(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """By the words of AWS's "Authenticating Requests", from what came over the wire; nothing of ours is asked."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        said = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
        if scheme != "AWS4-HMAC-SHA256" or said.keys() != {"Credential", "SignedHeaders", "Signature"}:
            return 403, "AccessDenied"
        who, day, region, service, end = said["Credential"].split("/")
        if who != ACCESS:
            return 403, "InvalidAccessKeyId"
        if (region, service, end) != (REGION, "s3", "aws4_request"):
            return 400, "AuthorizationHeaderMalformed"
        at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(at.timestamp() - self.now()) > SKEW_MAX_S or at.strftime("%Y%m%d") != day:
            return 403, "RequestTimeTooSkewed"
        names = said["SignedHeaders"].split(";")
        if names != sorted(names) or not {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names):
            return 403, "AccessDenied"
        if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return 400, "XAmzContentSHA256Mismatch"
        listed = "".join(f"{name}:{headers[name]}\n" for name in names)
        request = f"{method}\n{path}\n\n{listed}\n{';'.join(names)}\n{headers['x-amz-content-sha256']}"
        scope = f"{day}/{region}/{service}/{end}"
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = b"AWS4" + SECRET.encode()
        for word in (day, region, service, end, f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(key.hex(), said["Signature"]):
            return 403, "SignatureDoesNotMatch"
        return (200, "") if path.split("/")[1] == BUCKET else (404, "NoSuchBucket")


@contextmanager
def strict_bucket(port: int = 0) -> Iterator[Keeper]:
    """One that runs."""
    keeper = Keeper()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            keeper.connections += 1

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if keeper.hangs.is_set():
                self.rfile.read(1)
                self.close_connection = True
                return
            status, code = keeper.answers.pop(0) if keeper.answers else (0, "")
            if not status:
                status, code = keeper.judge("PUT", self.path, headers, body)
            if status == 200:
                keeper.objects[self.path] = body, headers
                keeper.puts.append(self.path)
            said = f"<Error><Code>{code}</Code><Secret>{SECRET}</Secret></Error>".encode() if code else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            if code == "PermanentRedirect":
                self.send_header("x-amz-bucket-region", "us-west-2")
            self.end_headers()
            self.wfile.write(said)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(keeper.now())

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Door)
    server.daemon_threads = True
    keeper.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield keeper
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def versitygw(folder: Path) -> Iterator[str]:
    """A real one, which checks signatures in code of its own. Its address; BUCKET is a directory below `folder`."""
    program = shutil.which("versitygw")
    assert program is not None
    (folder / BUCKET).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [program, "--access", ACCESS, "--secret", SECRET, "--region", REGION, "--port", f"127.0.0.1:{port}"]
    with subprocess.Popen([*arguments, "posix", str(folder)], stdout=subprocess.DEVNULL) as child:
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            child.terminate()
