"""Options for speculative decoding: a draft model, or drafts from the text itself. Pure."""

from gglib.runtime.engines.llama_cpp.options.cache import CACHE_TYPES
from gglib.runtime.engines.llama_cpp.options.option import (
    EngineOption,
    Kind,
    choice,
    integer,
    number,
    other,
    switch,
)
from gglib.runtime.engines.llama_cpp.options.placement import (
    experts_of_all_layers,
    experts_of_layers,
    layers_number,
)

_TYPES = (
    "none", "draft-simple", "draft-eagle3", "draft-mtp", "draft-dflash", "draft-dspark", "ngram-simple", "ngram-map-k",
    "ngram-map-k4v", "ngram-mod", "ngram-cache",
)  # fmt: skip
_OVERRIDES = "speculative.draft.tensor_buft_overrides"
DRAFT_MODEL = "--model-draft"


def _types(text: str) -> list[str]:
    """Encode types as the members of the wheel's enum."""
    return ["COMMON_SPECULATIVE_TYPE_" + name.upper().replace("-", "_") for name in text.split(",")]


def _ngram(name: str, field: str) -> tuple[EngineOption, ...]:
    return (
        integer(
            f"--spec-{name}-size-n", f"{field}.size_n", f"{name}: tokens to look up.", default="12", minimum=1
        ),
        integer(
            f"--spec-{name}-size-m", f"{field}.size_m", f"{name}: tokens to draft.", default="48", minimum=1
        ),
        integer(
            f"--spec-{name}-min-hits",
            f"{field}.min_hits",
            f"{name}: hits before it drafts.",
            default="1",
            minimum=1,
        ),
    )


DRAFTING = (
    other(
        Kind.FILE,
        f"{DRAFT_MODEL} --spec-draft-model -md",
        "speculative.draft.mparams.path",
        "A small model of the same vocabulary that drafts tokens.",
        also=(("speculative.types", ["COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE"]),),
    ),
    other(
        Kind.CHOICES,
        "--spec-type",
        "speculative.types",
        "Kinds of drafts.",
        default="none",
        encode=_types,
        choices=_TYPES,
    ),
    integer("--spec-draft-n-max", "speculative.draft.n_max", "Most tokens to draft.", default="3", minimum=0),
    integer(
        "--spec-draft-n-min", "speculative.draft.n_min", "Fewest tokens to draft.", default="0", minimum=0
    ),
    number(
        "--draft-p-min --spec-draft-p-min",
        "speculative.draft.p_min",
        "Least probability of a drafted token.",
        default="0",
        minimum=0,
        maximum=1,
    ),
    number(
        "--draft-p-split --spec-draft-p-split",
        "speculative.draft.p_split",
        "Probability at which a draft branches.",
        default="0.1",
        minimum=0,
        maximum=1,
    ),
    other(
        Kind.LAYERS,
        "--gpu-layers-draft --n-gpu-layers-draft --spec-draft-ngl -ngld",
        "speculative.draft.n_gpu_layers",
        "Layers of the draft model on the GPU.",
        default="auto",
        encode=layers_number,
    ),
    other(
        Kind.TEXT,
        "--device-draft --spec-draft-device -devd",
        "speculative.draft.devices",
        "Devices of the draft model; 'none': the processor.",
    ),
    choice(
        "--cache-type-k-draft --spec-draft-type-k -ctkd",
        "speculative.draft.cache_type_k",
        "Type of the keys in the draft's KV cache.",
        CACHE_TYPES,
        default="f16",
    ),
    choice(
        "--cache-type-v-draft --spec-draft-type-v -ctvd",
        "speculative.draft.cache_type_v",
        "Type of the values in the draft's KV cache.",
        CACHE_TYPES,
        default="f16",
    ),
    integer(
        "--threads-draft --spec-draft-threads -td",
        "speculative.draft.cpuparams.n_threads",
        "Threads of the draft model that generate.",
    ),
    integer(
        "--threads-batch-draft --spec-draft-threads-batch -tbd",
        "speculative.draft.cpuparams_batch.n_threads",
        "Threads of the draft model that process prompts.",
    ),
    other(
        Kind.TEXT,
        "--override-tensor-draft --spec-draft-override-tensor -otd",
        _OVERRIDES,
        "Buffer type of tensors of the draft model.",
    ),
    switch(
        "--cpu-moe-draft --spec-draft-cpu-moe -cmoed",
        _OVERRIDES,
        "Keep all experts of the draft model in RAM.",
        encode=experts_of_all_layers,
    ),
    EngineOption(
        names=("--n-cpu-moe-draft", "--spec-draft-n-cpu-moe", "--spec-draft-ncmoe", "-ncmoed"),
        kind=Kind.INTEGER,
        field=_OVERRIDES,
        help="Keep the experts of the draft's first N layers in RAM.",
        encode=experts_of_layers,
        minimum=0,
        maximum=4096,
    ),
    switch(
        "--spec-draft-backend-sampling",
        "speculative.draft.backend_sampling",
        "Sample drafts on the GPU.",
        off="--no-spec-draft-backend-sampling",
        default="on",
    ),
    integer(
        "--spec-ngram-mod-n-min",
        "speculative.ngram_mod.n_min",
        "ngram-mod: fewest tokens.",
        default="48",
        minimum=0,
    ),
    integer(
        "--spec-ngram-mod-n-max",
        "speculative.ngram_mod.n_max",
        "ngram-mod: most tokens.",
        default="64",
        minimum=1,
    ),
    integer(
        "--spec-ngram-mod-n-match",
        "speculative.ngram_mod.n_match",
        "ngram-mod: tokens to look up.",
        default="24",
        minimum=1,
    ),
    *_ngram("ngram-simple", "speculative.ngram_simple"),
    *_ngram("ngram-map-k", "speculative.ngram_map_k"),
    *_ngram("ngram-map-k4v", "speculative.ngram_map_k4v"),
)
