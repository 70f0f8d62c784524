"""Redacts a launch's errors for clients: replaces paths of this machine by file names."""

import re
import shutil
import sys
import tempfile
from copy import copy
from pathlib import Path

from gglib.core.backends import CommandBackend
from gglib.core.errors import GglibError, ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.runtime.local.path_redaction import PathRedactor

_PATH_IN_WORD = re.compile(r"(?:^|[=,:])(/(?!/)[^=,:]+)")
"""An absolute path in a word such as ``--file=/a/b.bin`` or ``/a/b.bin:0.5``, but not that of a URL."""


def known_directories(spec: ModelLaunchSpec, config: LaunchConfig) -> list[Path]:
    """Return the directories to redact: of the model, the engine and the launches, with links also resolved.

    None is of a single launch, so that all launches of a model have the same patterns: ``re`` caches 512 of them, each
    with 20 kB.
    """
    files = [*spec.files, *_named_files(spec)]
    if isinstance(spec.backend, CommandBackend):
        files += _files_of(spec.backend)
    elif config.engine.path is not None:
        files.append(config.engine.path)
    folders = [file.absolute().parent for file in files]
    folders += [file.resolve().parent for file in files]  # the loader logs resolved paths
    folders += [
        config.engines_dir,
        config.engines_dir.parent,
        config.log_dir.absolute(),
        Path(tempfile.gettempdir()),
        # The embedded engine's runner, for Python tracebacks.
        Path(sys.prefix),
        Path(__file__).parents[3],
    ]
    return folders


def _named_files(spec: ModelLaunchSpec) -> list[Path]:
    """Return the files that the user's settings of a model name: its arguments, its environment and its command."""
    settings, backend = spec.settings, spec.backend
    words = [*settings.engine_args, *settings.extra_args, *(value for _, value in settings.environment)]
    if isinstance(backend, CommandBackend):
        words += backend.argv
    return [Path(path) for word in words for path in _PATH_IN_WORD.findall(word)]


def _files_of(backend: CommandBackend) -> list[Path]:
    """Return files in the directory of a command, and in those of its program's installation."""
    program = shutil.which(backend.argv[0])
    installed = [] if program is None else [Path(program), Path(program).parent]
    return [*installed, *([] if backend.directory is None else [backend.directory / "any"])]


def redact_preflight_error(error: GglibError, spec: ModelLaunchSpec, config: LaunchConfig) -> GglibError:
    """Return an error of the checks before a launch, redacted for clients. Blocks: links are followed."""
    return redact_error(error, PathRedactor(known_directories(spec, config), config.home))


def redact_error(error: GglibError, redactor: PathRedactor) -> GglibError:
    """Return the error with redacted paths."""
    if isinstance(error, ModelLoadFailedError):
        kind = ModelOutOfMemoryError if isinstance(error, ModelOutOfMemoryError) else ModelLoadFailedError
        return kind(
            error.model_name,
            redactor.redact(error.reason),
            tuple(map(redactor.redact, error.log_tail)),
            retry_after_s=error.retry_after_s,
        )
    text = redactor.redact(str(error))
    if text == str(error):
        return error
    redacted = error.__class__.__new__(error.__class__)
    redacted.__dict__.update(copy(error.__dict__))
    redacted.args = (text,)
    return redacted
