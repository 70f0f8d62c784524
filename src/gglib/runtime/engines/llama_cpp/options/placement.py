"""Options for devices and for loading the weights. Pure."""

from types import MappingProxyType

from gglib.runtime.engines.llama_cpp.options.option import (
    OFF,
    ON,
    EngineOption,
    Kind,
    choice,
    integer,
    inverted,
    members,
    other,
    switch,
)

ON_OFF = (ON, OFF)
_LOAD_MODE = "load_mode"
_LOAD_MODES = MappingProxyType(
    {
        "auto": "LLAMA_LOAD_MODE_AUTO",
        "none": "LLAMA_LOAD_MODE_NONE",
        "mmap": "LLAMA_LOAD_MODE_MMAP",
        "mlock": "LLAMA_LOAD_MODE_MLOCK",
        "mmap+mlock": "LLAMA_LOAD_MODE_MMAP_MLOCK",
        "dio": "LLAMA_LOAD_MODE_DIRECT_IO",
    }
)
_ALL_LAYERS, _AUTO_LAYERS = -2, -1
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""The tensors of a mixture of experts (``LLM_FFN_EXPS_REGEX`` in llama.cpp's ``common.h``)."""
_MIB = 1024**2


def layers_number(text: str) -> int:
    """Encode a number of layers, ``all`` or ``auto``."""
    return {"all": _ALL_LAYERS, "auto": _AUTO_LAYERS}.get(text) or int(text)


def experts_of_all_layers(text: str) -> str:
    """Encode ``--cpu-moe`` as overrides of tensors."""
    return f"{_EXPERTS}=CPU" if text == ON else ""


def experts_of_layers(text: str) -> str:
    """Encode ``--n-cpu-moe`` as overrides of tensors."""
    return ",".join(rf"blk\.{layer}{_EXPERTS}=CPU" for layer in range(max(0, int(text))))


def _mib(text: str) -> list[int]:
    return [int(part) * _MIB for part in text.split(",")]


def _fit(text: str) -> bool:
    return text == ON


def _load_mode(names: str, help_text: str, *, on: str, off: str = "", off_mode: str = "") -> EngineOption:
    """Return a switch of older builds that newer ones replace by ``--load-mode``."""
    modes = {ON: _LOAD_MODES[on], OFF: _LOAD_MODES.get(off_mode, _LOAD_MODES["auto"])}
    return switch(names, _LOAD_MODE, help_text, off=off, default="", encode=modes.__getitem__)


PLACEMENT = (
    other(
        Kind.TEXT, "--device -dev", None, "Devices to use, such as CUDA0,CUDA1; 'none': the processor only."
    ),
    other(
        Kind.LAYERS,
        "--gpu-layers --n-gpu-layers -ngl",
        "n_gpu_layers",
        "Layers on the GPU.",
        default="auto",
        encode=layers_number,
    ),
    choice(
        "--split-mode -sm",
        "split_mode",
        "How several GPUs share the model.",
        members("LLAMA_SPLIT_MODE_", none="NONE", layer="LAYER", row="ROW", tensor="TENSOR"),
        default="layer",
    ),
    other(Kind.NUMBERS, "--tensor-split -ts", "tensor_split", "Share of each GPU, such as 3,1."),
    integer(
        "--main-gpu -mg",
        "main_gpu",
        "The GPU of the model, if it is not split; -1: none.",
        default="0",
        minimum=-1,
    ),
    other(
        Kind.TEXT,
        "--override-tensor -ot",
        "tensor_buft_overrides",
        "Buffer type of the tensors that match: PATTERN=TYPE,…",
    ),
    switch(
        "--cpu-moe -cmoe",
        "tensor_buft_overrides",
        "Keep all experts in RAM.",
        encode=experts_of_all_layers,
    ),
    EngineOption(
        names=("--n-cpu-moe", "-ncmoe"),
        kind=Kind.INTEGER,
        field="tensor_buft_overrides",
        help="Keep the experts of the first N layers in RAM.",
        encode=experts_of_layers,
        minimum=0,
        maximum=4096,
    ),
    choice(
        "--fit -fit",
        "fit_params",
        "Reduce what is not set to what fits into the GPUs.",
        ON_OFF,
        default=ON,
        encode=_fit,
    ),
    other(
        Kind.INTEGERS,
        "--fit-target -fitt",
        "fit_params_target",
        "MiB of each GPU that --fit leaves free.",
        default="1024",
        encode=_mib,
    ),
    integer(
        "--fit-ctx -fitc",
        "fit_params_min_ctx",
        "Smallest context of --fit in tokens.",
        default="4096",
        minimum=1,
    ),
    choice("--load-mode -lm", _LOAD_MODE, "How the weights are read.", _LOAD_MODES, default="auto"),
    _load_mode("--mlock", "Keep the weights in RAM (older builds).", on="mlock"),
    _load_mode(
        "--mmap", "Map the file into memory (older builds).", on="mmap", off="--no-mmap", off_mode="none"
    ),
    _load_mode(
        "--direct-io -dio",
        "Read around the page cache (older builds).",
        on="dio",
        off="--no-direct-io -ndio",
    ),
    switch("--warmup", "warmup", "Compute once before the first request.", off="--no-warmup", default=ON),
    switch(
        "--kv-offload -kvo",
        "no_kv_offload",
        "Keep the KV cache on the GPU.",
        off="--no-kv-offload -nkvo",
        default=ON,
        encode=inverted,
    ),
    switch(
        "--op-offload",
        "no_op_offload",
        "Compute large operations of layers in RAM on the GPU.",
        off="--no-op-offload",
        default=ON,
        encode=inverted,
    ),
    switch(
        "--repack",
        "no_extra_bufts",
        "Rearrange weights for the processor.",
        off="--no-repack -nr",
        default=ON,
        encode=inverted,
    ),
    switch("--no-host", "no_host", "Use no pinned memory of the GPU's driver."),
    switch("--check-tensors", "check_tensors", "Search the weights for invalid numbers."),
    choice(
        "--lazy-mode",
        "lazy_mode",
        "Load weights when they are first used.",
        members("LLAMA_LAZY_MODE_", off="OFF", auto="AUTO", on="ON"),
        default="auto",
    ),
    other(Kind.TEXT, "--override-kv", None, "Replace values of the header: KEY=TYPE:VALUE,…"),
    other(Kind.TEXT, "--rpc", None, "Servers of llama.cpp's RPC that compute too: HOST:PORT,…"),
)
