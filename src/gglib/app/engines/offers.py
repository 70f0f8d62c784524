"""Whether ``gglib up`` offers an engine, and what it asks. A refusal is remembered for these GPUs."""

import json

from gglib.app.memory.gpu_use import GpuUse, backends_for, gpu_names
from gglib.app.settings import Settings, prepare_home
from gglib.system.files.rewriting import read_writable, replace_file
from gglib.system.files.small_files import parse_json, read_small

_REFUSED = "refused.json"


def is_due(settings: Settings, use: GpuUse) -> bool:
    """Whether to offer an engine: a GPU with a driver is not used, and no offer for these GPUs was refused."""
    has_driver = any(gpu.has_driver and gpu.is_discrete for gpu in use.gpus)
    return use.is_lost and has_driver and _refused(settings) != gpu_names(use.gpus)


def question(use: GpuUse) -> str:
    """Return the question, with the GPUs and the backends for them."""
    return (
        f"{gpu_names(use.gpus)}: the engine in use cannot use it. Install a build of llama.cpp with "
        f"{backends_for(use)}?"
    )


def remember(settings: Settings, use: GpuUse) -> None:
    """Remember a refusal. Raises OSError."""
    prepare_home(settings)
    settings.engines_dir.mkdir(exist_ok=True)
    path = settings.engines_dir / _REFUSED
    _, found = read_writable(path)
    replace_file(path, json.dumps({"gpus": gpu_names(use.gpus)}).encode() + b"\n", found)


def _refused(settings: Settings) -> str | None:
    try:
        content = parse_json(read_small(settings.engines_dir / _REFUSED))
    except (OSError, ValueError):
        return None
    match content:
        case {"gpus": str(names)}:
            return names
    return None
