"""Install the wheel with uv, pipx and pip, each with an empty home; print how long it takes and how large it is.

``python -m scripts.try_install`` takes the wheel in ``dist/`` (``make dist``). Each tool installs it twice, each time
into an empty directory: the first time fills the package caches, the second is measured. Then ``gglib up --yes``
downloads the starter model and serves until a client has its answer, and gglib is uninstalled: what is left beside its
home is listed. A tool that is not on the ``PATH`` is left out. Exits with 1 if a limit is exceeded or gglib left
something. A package registry is needed.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.installations import TOOLS, Tool, Try, size_mb

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S, LIMIT_MB = 90.0, 200.0
"""From the start of the installation to the first answer; what it adds to an empty environment, without models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one tool took. Sizes are those of the files, with the modules that Python or the tool compiled."""

    tool: str
    install_s: float
    version_s: float
    reply_s: float
    added_mb: float
    """By the installation and the first use, to an environment that was empty before."""
    environment_mb: float
    """All of it: ``venv`` puts pip into an empty one."""
    home_mb: float
    left: list[str]

    @property
    def is_good(self) -> bool:
        """Whether the limits hold, and gglib left nothing."""
        return self.total_s <= LIMIT_S and self.added_mb <= LIMIT_MB and not self.left

    @property
    def total_s(self) -> float:
        """From the start of the installation to the answer."""
        return self.install_s + self.reply_s

    def row(self) -> str:
        """Return the row of the table."""
        numbers = (self.install_s, self.version_s, self.reply_s, self.total_s)
        seconds = " | ".join(f"{number:.1f}" for number in numbers)
        left = ", ".join(self.left) or "nothing"
        sizes = f"{self.added_mb:.0f} | {self.environment_mb:.0f} | {self.home_mb:.0f}"
        return f"| {self.tool} | {seconds} | {sizes} | {left} |"


def measure(tool: Tool, wheel: Path, work: Path) -> Measured:
    """Install twice, use it, and uninstall it."""
    caches, place = work / "caches", work / tool.name
    first = Try(tool, wheel, place, caches)
    first.prepare()
    first.install()
    first.reply()
    shutil.rmtree(place)
    second = Try(tool, wheel, place, caches)
    empty_mb = second.prepare()
    install_s, version_s, reply_s = second.install(), second.version(), second.reply()
    environment_mb, home_mb = size_mb(second.environment), size_mb(second.gglib_home)
    second.uninstall()
    return Measured(
        tool=tool.name,
        install_s=install_s,
        version_s=version_s,
        reply_s=reply_s,
        added_mb=environment_mb - empty_mb,
        environment_mb=environment_mb,
        home_mb=home_mb,
        left=second.left(),
    )


def wheel_in_dist() -> Path:
    """Return the wheel of ``make dist``. Exits with a sentence if there is none."""
    wheels = sorted((ROOT / "dist").glob("gglib-*.whl"))
    if not wheels:
        sys.exit("There is no wheel in dist/: run 'make dist' first, or name one.")
    return wheels[-1]


def available(names: Sequence[str]) -> Iterator[Tool]:
    """Yield the tools that are asked for and installed; name the others on stderr."""
    for tool in TOOLS:
        if tool.name in names:
            if tool.name == "pip" or shutil.which(tool.name):
                yield tool
            else:
                print(f"{tool.name} is not installed: it is left out.", file=sys.stderr)


def main() -> int:
    """Measure each tool, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tools", default="uv,pipx,pip", help="some of them, with commas")
    parser.add_argument("wheel", nargs="?", type=Path, help="the wheel; default: the one in dist/")
    options = parser.parse_args()
    wheel = (options.wheel or wheel_in_dist()).resolve()
    with tempfile.TemporaryDirectory(prefix="gglib-install-") as work:
        rows = [measure(tool, wheel, Path(work)) for tool in available(options.tools.split(","))]
    print(f"{wheel.name}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores\n")
    seconds = "install, s | `--version`, s | `up` to an answer, s | in all, s"
    print(f"| | {seconds} | added, MB | environment, MB | home, MB | left beside it |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|---|")
    for row in rows:
        print(row.row())
    return 0 if rows and all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
