"""Makes certificates for TLS tests; needs ``openssl``."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl to make a certificate with"
)
_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_COMMAND = ("openssl", "req", "-x509", *_EC_KEY, "-days", "1")
_CA_CONFIG = """\
[ca]
default_ca = own
[own]
database = {directory}/index.txt
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
"""


def write_certificate(path: Path, *, name: str = "DNS:localhost") -> Path:
    """Write a self-signed certificate with its key to ``path``; return the file with the certificate alone.

    ``name`` is a subject alternative name, such as ``DNS:localhost`` or ``IP:127.0.0.1``; several are separated by
    commas.
    """
    public = path.with_name(f"{path.name}.crt")
    names = ("-subj", "/CN=localhost", "-addext", f"subjectAltName={name}")
    _run(*_COMMAND, *names, "-keyout", str(path), "-out", str(public))
    with path.open("a") as stream:
        stream.write(public.read_text())
    return public


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its chain, and its key, in two PEM files."""

    certificate: Path
    key: Path


class Authority:
    """An authority of its own, which issues certificates for a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.certificate = directory / "ca.crt"
        """The file that clients trust."""
        self._key, self._config = directory / "ca.key", directory / "ca.cnf"
        (directory / "index.txt").touch()
        self._config.write_text(_CA_CONFIG.format(directory=directory))
        subject = ("-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign")
        _run(*_COMMAND, *subject, "-keyout", str(self._key), "-out", str(self.certificate))

    def issue(
        self,
        file_name: str,
        *,
        names: str = "DNS:localhost,IP:127.0.0.1",
        begins: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(days=60),
    ) -> Issued:
        """Issue a certificate; its times are relative to now. The file has the chain, as clients need it."""
        issued = Issued(self._directory / f"{file_name}.crt", self._directory / f"{file_name}.key")
        request = self._directory / f"{file_name}.csr"
        subject = ("-subj", "/CN=test server", "-addext", f"subjectAltName={names}")
        _run("openssl", "req", *_EC_KEY, *subject, "-keyout", str(issued.key), "-out", str(request))
        times = ("-startdate", _time(begins), "-enddate", _time(ends))
        authority = ("-config", str(self._config), "-cert", str(self.certificate), "-keyfile", str(self._key))
        output = ("-in", str(request), "-out", str(issued.certificate))
        _run("openssl", "ca", "-batch", "-notext", *authority, *times, *output)
        issued.certificate.write_text(issued.certificate.read_text() + self.certificate.read_text())
        return issued


def client_context(ca_file: Path) -> ssl.SSLContext:
    """Return the context of a client that trusts a file of certificates."""
    return ssl.create_default_context(cafile=str(ca_file))


def _time(offset: timedelta) -> str:
    return f"{datetime.now(UTC) + offset:%Y%m%d%H%M%SZ}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
