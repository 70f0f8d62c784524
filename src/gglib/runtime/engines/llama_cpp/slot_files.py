"""Describes how the slots of a launch are kept. Blocks: reads the state of the files that a launch names."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from gglib.core.models import FileMark
from gglib.runtime.engines.kept_prompts.fingerprint import Fingerprint
from gglib.runtime.engines.llama_cpp.kept_prompts.compared_options import launch_options, off_reason
from gglib.runtime.engines.llama_cpp.kept_prompts.slot_routes import (
    read_refusal,
    read_state,
    read_transfer,
    restore_request,
    save_request,
)
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.engines.llama_cpp.options.files import added_files, named_files
from gglib.runtime.engines.slot_files import SlotFiles

_TEMPLATE_FILE = "--chat-template-file"


def slot_files(plan: LaunchPlan, engine: str) -> SlotFiles | None:
    """Return how the slots of a launch are kept; None for models without conversations and unknown files.

    ``engine`` identifies the engine and its build.
    """
    spec = plan.spec
    is_chat = not (spec.capabilities.embedding or spec.capabilities.rerank)
    if plan.slot_directory is None or not is_chat or len(spec.marks) != len(spec.files):
        return None
    arguments = spec.settings.engine_args
    adapters = added_files(arguments)
    marks = [_identity(mark) for mark in spec.marks]
    has_projector = spec.projector is not None
    templates = [path for option, path in named_files(arguments) if option.name == _TEMPLATE_FILE]
    return SlotFiles(
        directory=plan.slot_directory,
        fingerprint=Fingerprint(
            files=tuple(marks[:-1] if has_projector else marks),
            engine=engine,
            projector=marks[-1] if has_projector else None,
            adapters=tuple(_file_identities(adapters)),
            template=next(_file_identities(tuple(templates[-1:])), None),
            options=launch_options(spec, plan.context),
        ),
        off_reason=off_reason(spec),
        state_paths=(b"/slots", b"/metrics"),
        read_state=read_state,
        # Admins may change the scales of adapters while the engine runs.
        unchanged_path=b"/lora-adapters" if adapters else None,
        save=save_request,
        restore=restore_request,
        read_transfer=read_transfer,
        read_refusal=read_refusal,
    )


def digest(*parts: object) -> str:
    """Return a short text that identifies the parts, for builds of engines."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _identity(mark: FileMark) -> str:
    """Return a file's identity, without its device, whose number may differ after a boot."""
    return f"{mark.inode}:{mark.size_bytes}:{mark.modified_ns}:{mark.changed_ns}"


def _file_identities(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116 - also of a text that is no path
        except (OSError, ValueError):
            yield f"{path}: missing"
        else:
            yield f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
