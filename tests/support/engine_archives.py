"""Archives with a scripted llama-server, as llama.cpp's releases and wheels have it, and hostile ones."""

import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from gglib.testing import Script, install_scripted_server

PROGRAM = "llama-server"
_METADATA = b"Metadata-Version: 2.1\nName: llama-server-bin\nVersion: 1.0\n"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def program_bytes(script: Script | None = None) -> bytes:
    """Return the content of a scripted llama-server."""
    with tempfile.TemporaryDirectory() as directory:
        return install_scripted_server(directory, script).read_bytes()


def tar_member(
    name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644, target: str = ""
) -> tarfile.TarInfo:
    """Return the head of a member."""
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname = kind, mode, target
    return member


def tar_gz(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a tar.gz archive of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)  # without a time: the same bytes each time


def zip_member(name: str, *, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    """Return the head of a member, as made on a Unix."""
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, mode << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def zip_file(members: Sequence[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """Return a zip archive of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members:
            archive.writestr(member, content)
    return buffer.getvalue()


def release_archive(tag: str = "b11462", script: Script | None = None, *, backend: str = "vulkan") -> bytes:
    """Return a tar.gz archive as in llama.cpp's releases: a directory, a program, libraries with links."""
    top = f"llama-{tag}"
    return tar_gz(
        [
            (tar_member(top, tarfile.DIRTYPE, mode=0o755), b""),
            (tar_member(f"{top}/{PROGRAM}", mode=0o755), program_bytes(script)),
            (
                tar_member(f"{top}/libggml-{backend}.so", mode=0o755),
                b"\x7fELF library of " + backend.encode(),
            ),
            (tar_member(f"{top}/libllama.so.0.1.0", mode=0o755), b"\x7fELF library"),
            (
                tar_member(f"{top}/libllama.so.0", tarfile.SYMTYPE, mode=0o777, target="libllama.so.0.1.0"),
                b"",
            ),
            (tar_member(f"{top}/libllama.so", tarfile.SYMTYPE, mode=0o777, target="./libllama.so.0"), b""),
            (tar_member(f"{top}/LICENSE"), b"MIT License"),
        ]
    )


def wheel(script: Script | None = None) -> bytes:
    """Return a wheel with llama-server, whose files have the modes that wheels often have."""
    package = "llama_server_bin"
    return zip_file(
        [
            (zip_member(f"{package}/__init__.py"), b""),
            (zip_member(f"{package}/bin/{PROGRAM}"), program_bytes(script)),
            (zip_member(f"{package}/bin/libggml-cpu.so"), b"\x7fELF"),
            (zip_member(f"{package}-1.0.dist-info/METADATA"), _METADATA),
            (zip_member(f"{package}-1.0.dist-info/WHEEL"), _WHEEL),
            (zip_member(f"{package}-1.0.dist-info/RECORD"), b""),
        ]
    )


def write(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
