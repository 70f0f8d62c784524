"""Which of a model's settings the values in its slots depend on, and which models are never kept. Pure."""

from collections.abc import Mapping

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.llama_cpp.options import final_values
from gglib.runtime.engines.llama_cpp.options.drafting import DRAFTING

UNCHANGED_BY = frozenset(
    (
        *(
            "--threads",
            "--threads-batch",
            "--threads-http",
            "--prio",
            "--prio-batch",
            "--poll",
            "--poll-batch",
        ),
        *(
            "--cpu-mask",
            "--cpu-range",
            "--cpu-strict",
            "--parallel",
            "--cache-ram",
            "--slot-prompt-similarity",
        ),
        *("--temp", "--top-k", "--top-p", "--min-p", "--seed", "--presence-penalty", "--frequency-penalty"),
        *("--mmap", "--mlock", "--warmup"),
    )
)
"""Options that do not change what is in a slot. All others of a model count, also those of future builds."""

_SAME_AT_ANY_CONTEXT = frozenset(
    (
        *("command-r", "falcon", "gemma", "gemma2", "gemma3", "gemma3n", "glm4", "gpt-oss", "llama", "olmo2"),
        *("qwen2", "qwen2moe", "qwen3", "qwen3moe", "smollm3", "starcoder2"),
    )
)
"""Architectures whose positions do not depend on the size of the context. Others may have factors for long contexts
(Phi-3, MiniCPM), which the engine selects by the context: with a larger one the values differ."""
_DRAFTING = frozenset(option.name for option in DRAFTING)
_DISK_CACHE = "--cache-disk"


def compared_options(options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the options that count, of a model's options by name (``final_values``)."""
    return tuple(sorted(item for item in options.items() if item[0] not in UNCHANGED_BY))


def launch_options(spec: ModelLaunchSpec, context: int) -> tuple[tuple[str, str], ...]:
    """Return everything in a model's settings and its context (in tokens) that the values in a slot may depend on."""
    settings = spec.settings
    own = compared_options(final_values(settings.engine_args))
    others = [(f"--env {name}", value) for name, value in settings.environment]
    if settings.extra_args:
        others.append(("--", "\0".join(settings.extra_args)))
    is_extended = spec.trained_context is None or context > spec.trained_context
    if spec.architecture not in _SAME_AT_ANY_CONTEXT or is_extended:
        others.append(("the context", str(context)))
    return tuple(sorted((*own, *others)))


def off_reason(spec: ModelLaunchSpec) -> str | None:
    """Return why the prompts of a model are never kept, as a clause; None if they may be."""
    if any(argument.startswith(_DISK_CACHE) for argument in spec.settings.extra_args):
        return "its engine has a disk cache"
    if spec.projector is not None:
        # b11549 and b10068 save such slots. An image has no tokens of its own in the file that distinguish it.
        return "its conversations may have images, which a file does not identify"
    if _DRAFTING & final_values(spec.settings.engine_args).keys():
        return "the state of its drafts cannot be saved"
    return None
