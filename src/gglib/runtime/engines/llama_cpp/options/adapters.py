"""Options for LoRA adapters and control vectors. Pure."""

from gglib.runtime.engines.llama_cpp.options.csv_lists import scaled_files, split_csv
from gglib.runtime.engines.llama_cpp.options.option import Kind, other


def _adapters(text: str) -> list[list[object]]:
    """Encode paths as pairs of path and scale."""
    return [[path, 1.0] for path in split_csv(text)]


def _scaled_adapters(text: str) -> list[list[object]]:
    return [[path, scale] for path, scale in scaled_files(text)]


LORA, LORA_SCALED = "--lora", "--lora-scaled"

ADAPTERS = (
    other(Kind.FILES, LORA, "lora_adapters", "LoRA adapters, with a scale of 1.", encode=_adapters),
    other(
        Kind.SCALED_FILES,
        LORA_SCALED,
        "lora_adapters",
        "LoRA adapters with their scales.",
        encode=_scaled_adapters,
    ),
    other(Kind.FILES, "--control-vector", None, "Control vectors, with a scale of 1."),
    other(Kind.SCALED_FILES, "--control-vector-scaled", None, "Control vectors with their scales."),
    other(
        Kind.RANGE,
        "--control-vector-layer-range",
        None,
        "First and last layer that control vectors apply to.",
    ),
)
