"""The arguments that let a llama-server serve a context above the trained one. Pure.

llama-server caps the context of a slot at the trained context of the header, whatever the scaling of positions (seen in
b10068 and b10434: "the slot context exceeds the training context of the model - capping"). The header's value is
therefore overridden, and YaRN is given the original one.
"""

from gglib.core.context_extension import context_factor, original_context
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.llama_cpp.options.parsing import final_values


def context_override(spec: ModelLaunchSpec, context: int) -> tuple[str, ...]:
    """Return the model's engine arguments, extended if ``context`` tokens are above what the model was trained for."""
    arguments = spec.settings.engine_args
    factor, ceiling = context_factor(arguments), spec.trained_context
    if factor <= 1 or ceiling is None or spec.architecture is None:
        return arguments
    original = original_context(arguments) or round(ceiling / factor)
    if context <= original:
        return arguments
    added: tuple[str, ...] = ("--override-kv", f"{spec.architecture}.context_length=int:{ceiling}")
    if final_values(arguments).get("--rope-scaling") == "yarn" and original_context(arguments) is None:
        added += ("--yarn-orig-ctx", str(original))
    return (*arguments, *added)
