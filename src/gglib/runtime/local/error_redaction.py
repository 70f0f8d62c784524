"""Redacts a launch's errors for clients: replaces paths of this machine by file names."""

import sys
import tempfile
from copy import copy
from pathlib import Path

from gglib.core.errors import GglibError, ModelLoadFailedError, ModelOutOfMemoryError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.local.launch import LaunchConfig
from gglib.runtime.local.path_redaction import PathRedactor


def known_directories(spec: ModelLaunchSpec, config: LaunchConfig, *, launch_name: str) -> list[Path]:
    """Return the directories to redact: of the model, the engine and the launch, with links also resolved."""
    files = [spec.path, *([spec.projector] if spec.projector is not None else [])]
    if config.engine.path is not None:
        files.append(config.engine.path)
    folders = [file.absolute().parent for file in files]
    folders += [file.resolve().parent for file in files]  # the loader logs resolved paths
    folders += [
        config.engines_dir / launch_name,
        config.engines_dir.parent,
        config.log_dir.absolute(),
        Path(tempfile.gettempdir()),
        # The embedded engine's runner, for Python tracebacks.
        Path(sys.prefix),
        Path(__file__).parents[3],
    ]
    return folders


def redact_preflight_error(error: GglibError, spec: ModelLaunchSpec, config: LaunchConfig) -> GglibError:
    """Return an error of the checks before a launch, redacted for clients. Blocks: links are followed."""
    return redact_error(error, PathRedactor(known_directories(spec, config, launch_name=""), config.home))


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
