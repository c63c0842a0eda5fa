"""A certificate authority of our own, for sources that speak https on loopback. Made by openssl."""

import ssl
import subprocess
from pathlib import Path

OPENSSL_TIMEOUT_S = 30.0


class Authority:
    """A self-signed certificate for these names (and 127.0.0.1); its file is what clients trust."""

    def __init__(self, directory: Path, *names: str, days: int = 30) -> None:
        self.certificate = directory / "authority.pem"
        self.key = directory / "authority-key.pem"
        self._directory = directory
        self._hosts = "subjectAltName=" + ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", str(days), "-subj", "/CN=simulator", "-addext", self._hosts),
            *("-keyout", str(self.key), "-out", str(self.certificate)),
        )

    def server_context(self) -> ssl.SSLContext:
        """For `SourceServer(tls=…)`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def expired_context(self) -> ssl.SSLContext:
        """The same for a server whose certificate, signed by this authority, ended yesterday."""
        request, expired, names = (self._directory / name for name in ("past.csr", "past.pem", "past.ext"))
        names.write_text(f"{self._hosts}\n")
        _openssl("req", "-new", "-key", str(self.key), "-subj", "/CN=past", "-out", str(request))
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self.key)),
            *("-set_serial", "2", "-days", "-1", "-extfile", str(names), "-out", str(expired)),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(expired, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """For a client that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.certificate))


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=OPENSSL_TIMEOUT_S)
