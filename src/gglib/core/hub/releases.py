"""Releases of llama.cpp, and the files in them. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """One file of a release."""

    name: str
    """As the server has it; untrusted as a path on this machine."""
    size_bytes: int
    url: str
    sha256: str | None = None
    """Hash of its content, in hex digits; None if the server does not have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release with its files."""

    tag: str
    """``b11462`` for a build, ``v0.6.0`` for an announced version."""
    files: tuple[ReleaseFile, ...] = ()

    def file(self, name: str) -> ReleaseFile | None:
        """Return the file with this name; None if the release does not have it."""
        return next((file for file in self.files if file.name == name), None)
