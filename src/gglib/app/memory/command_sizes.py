"""The size of models that no estimate by llama.cpp's rules holds for: commands, and engines from other packages.

1. The memory that the model's settings state.
2. Else the measured peak of earlier launches with the same command, files and context.
3. Else the size of its files, all in RAM.
4. Else it is unknown, and counts as nothing until the running process is measured.
"""

from gglib.app.memory.fitting import weights_bytes
from gglib.app.memory.sized_launch import SizedLaunch, launched_files
from gglib.core.backends import CommandBackend
from gglib.core.memory import RAM, MemoryNeed
from gglib.core.models import ModelLaunchSpec
from gglib.core.shell_quoting import quoted_command
from gglib.library.fit.launch_size import launch_key


def command_launch(spec: ModelLaunchSpec, backend: CommandBackend, context: int) -> SizedLaunch:
    """Return what a launch of a command takes."""
    context = context if backend.takes_context else 0
    engine = repr((backend.argv, spec.settings.environment))
    launch = measured_launch(spec, context, slots=backend.slots or 0, engine=engine)
    if not backend.memory:
        return launch
    return SizedLaunch(
        key=launch.key, need=launch.need, estimated=dict(backend.memory), is_stated=True, is_warmed_up=True
    )


def measured_launch(spec: ModelLaunchSpec, context: int, *, slots: int, engine: str) -> SizedLaunch:
    """Return what a launch takes by the size of its files. ``engine`` identifies the program."""
    size = weights_bytes(spec) if spec.files else 0
    key = launch_key(
        spec, files=launched_files(spec), context=context, slots=slots, prompt_cache_mib=0, engine=engine
    )
    need = MemoryNeed(weights_bytes=size, kv_bytes=0, compute_bytes=0, overhead_bytes=0, is_exact=False)
    return SizedLaunch(key=key, need=need, estimated={RAM: size} if size else {}, is_warmed_up=True)


def command_advice(spec: ModelLaunchSpec) -> str:
    """Return what to do about a command that needs more memory than there is, as a sentence for clients."""
    change = quoted_command("set", spec.model_name, "--memory", "SIZE")
    return f"If it takes less than that, {change} states it."
