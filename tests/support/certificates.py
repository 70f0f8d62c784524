"""Makes certificates for TLS tests; needs ``openssl``."""

import subprocess
from pathlib import Path

_COMMAND = (
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "1",
)


def write_certificate(path: Path, *, name: str = "DNS:localhost") -> Path:
    """Write a self-signed certificate with its key to ``path``; return the file with the certificate alone.

    ``name`` is a subject alternative name, such as ``DNS:localhost`` or ``IP:127.0.0.1``.
    """
    public = path.with_name(f"{path.name}.crt")
    names = ("-subj", "/CN=localhost", "-addext", f"subjectAltName={name}")
    subprocess.run([*_COMMAND, *names, "-keyout", path, "-out", public], check=True, capture_output=True)
    with path.open("a") as stream:
        stream.write(public.read_text())
    return public
