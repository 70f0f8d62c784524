"""Builds the image of the Containerfile without a registry: the base is made by debootstrap, the builder is buildah."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUITE = "bookworm"
BASE, IMAGE = "localhost/base", "localhost/gglib"
AUTHORITIES = Path("usr/local/share/ca-certificates")
"""Certificates that the administrator of a machine trusts, by Debian's policy; below the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What the image says about how it is run."""

    command: tuple[str, ...]
    health: tuple[str, ...]
    environment: tuple[str, ...]
    """``NAME=VALUE``."""
    user: str
    volumes: tuple[str, ...]

    @classmethod
    def of(cls, inspected: dict[str, Any]) -> "ImageConfig":
        """Read the form in which Docker writes it."""
        config = inspected["Docker"]["config"]
        word, *health = config["Healthcheck"]["Test"]
        assert word == "CMD", "a health check without a shell"
        return cls(
            command=tuple(config["Cmd"]),
            health=tuple(health),
            environment=tuple(config["Env"]),
            user=config["User"],
            volumes=tuple(config["Volumes"]),
        )


class Builder:
    """buildah, with a store of its own in ``work``."""

    def __init__(self, work: Path) -> None:
        store = ("--root", work / "store", "--runroot", work / "run", "--storage-driver", "overlay")
        self._command = ("buildah", *map(str, store))

    def add_base(self, root: Path) -> None:
        """Make an image of a directory."""
        container = self._read("from", "scratch")
        self._read("add", "--quiet", container, str(root), "/")
        self._read("commit", "--quiet", "--rm", container, BASE)

    def build(self, context: Path) -> None:
        """Build the Containerfile in ``context`` on the base. Its output is passed on."""
        # Docker's format: OCI's has no health checks. In a chroot: namespaces of networks may be forbidden here.
        options = ("--isolation", "chroot", "--format", "docker", "--build-arg", f"BASE={BASE}")
        self._run("build", *options, "--file", str(context / "Containerfile"), "--tag", IMAGE, str(context))

    def config(self) -> ImageConfig:
        """Return how the image is run."""
        return ImageConfig.of(json.loads(self._read("inspect", "--type", "image", IMAGE)))

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Mount the files of the image during the block; yield the directory."""
        container = self._read("from", IMAGE)
        try:
            yield Path(self._read("mount", container))
        finally:
            self._read("umount", container)
            self._read("rm", container)

    def remove(self) -> None:
        """Delete all images, and with them what is mounted of the store."""
        self._read("rmi", "--all", "--force")

    def _run(self, *arguments: str) -> None:
        subprocess.run([*self._command, *arguments], check=True)

    def _read(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()


def bootstrap(target: Path) -> None:
    """Install a minimal Debian into ``target``, with the authorities that this machine trusts beside Debian's."""
    options: Sequence[str] = ("--variant=minbase", SUITE)
    subprocess.run(["debootstrap", *options, str(target)], check=True)
    if (Path("/") / AUTHORITIES).is_dir():
        shutil.copytree(Path("/") / AUTHORITIES, target / AUTHORITIES, dirs_exist_ok=True)
