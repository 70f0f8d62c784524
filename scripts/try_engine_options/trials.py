"""The trials: for each option a value, and what the model needs for it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gglib.runtime.engines.llama_cpp.options import ENGINE_OPTIONS
from gglib.runtime.engines.llama_cpp.options.option import EngineOption


class Model(StrEnum):
    """The kinds of tiny models."""

    CHAT = "chat"
    """Llama with heads of 32 elements, trained for 2,048 tokens."""
    VISION = "vision"
    """The same with a projector."""
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One launch."""

    option: EngineOption
    arguments: tuple[str, ...]
    """The option under trial first, then what it needs. ``{lora}``, ``{vector}``, ``{draft}``, ``{template}``,
    ``{grammar}`` and ``{schema}`` stand for files."""
    model: Model = Model.CHAT

    @property
    def shown(self) -> str:
        """The arguments in one line."""
        return " ".join(self.arguments)


_ORIG = "--yarn-orig-ctx 2048"
_YARN = f"--rope-scaling yarn --rope-scale 2 {_ORIG}"
_DRAFT = "--model-draft {draft}"
_NGRAM = "--spec-type ngram-simple"

_ARGUMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "--threads": ("2",), "--threads-batch": ("2",), "--threads-http": ("3",), "--batch-size": ("64",),
        "--ubatch-size": ("32",), "--parallel": ("2",), "--cpu-strict": ("1",), "--cpu-mask": ("1",),
        "--cpu-range": ("0-1",), "--prio": ("0", "-1"), "--prio-batch": ("0",), "--poll": ("0",),
        "--poll-batch": ("1",), "--numa": ("distribute", "isolate"), "--device": ("none",),
        "--gpu-layers": ("0", "all"), "--split-mode": ("none", "layer", "row"), "--tensor-split": ("3,1",),
        "--main-gpu": ("0",), "--override-tensor": (r"ffn_up=CPU",), "--n-cpu-moe": ("1",), "--fit": ("off",),
        "--fit-target": ("512",), "--fit-ctx": ("1024",), "--load-mode": ("none", "mmap", "mlock", "dio"),
        "--lazy-mode": ("on",), "--override-kv": ("llama.context_length=int:4096",), "--rpc": ("{rpc}",),
        "--flash-attn": ("on", "off"), "--cache-type-k": ("q8_0", "bf16", "q4_0"),
        "--cache-type-v": ("q8_0 --flash-attn on", "q5_1"),
        "--rope-scaling": (f"yarn --rope-scale 2 {_ORIG}", "linear --rope-scale 2"), "--rope-scale": ("2",),
        "--rope-freq-base": ("20000",), "--rope-freq-scale": ("0.5",), "--yarn-orig-ctx": (f"2048 {_YARN}",),
        "--yarn-ext-factor": (f"0.5 {_YARN}",), "--yarn-attn-factor": (f"0.9 {_YARN}",),
        "--yarn-beta-slow": (f"1.5 {_YARN}",), "--yarn-beta-fast": (f"24 {_YARN}",), "--cache-ram": ("5",),
        "--cache-reuse": ("16",), "--slot-prompt-similarity": ("0.5",), "--ctx-checkpoints": ("3",),
        "--checkpoint-min-step": ("256",), "--keep": ("8",), "--chat-template": ("chatml", "llama3"),
        "--chat-template-file": ("{template}",), "--chat-template-kwargs": ('{"enable_thinking":false}',),
        "--reasoning": ("off", "on"), "--reasoning-format": ("none", "deepseek"), "--reasoning-budget": ("64",),
        "--reasoning-budget-message": ("enough --reasoning-budget 64",), "--reasoning-effort": ("low",),
        "--lora": ("{lora}",), "--lora-scaled": ("{lora}:0.5",), "--control-vector": ("{vector}",),
        "--control-vector-scaled": ("{vector}:0.5",),
        "--control-vector-layer-range": ("1 1 --control-vector {vector}",), "--model-draft": ("{draft}",),
        "--spec-type": (f"draft-simple {_DRAFT}", "ngram-simple", "ngram-mod"), "--spec-draft-n-max": (f"5 {_DRAFT}",),
        "--spec-draft-n-min": (f"1 {_DRAFT}",), "--draft-p-min": (f"0.5 {_DRAFT}",),
        "--draft-p-split": (f"0.2 {_DRAFT}",), "--gpu-layers-draft": (f"0 {_DRAFT}",),
        "--device-draft": (f"none {_DRAFT}",), "--cache-type-k-draft": (f"q8_0 {_DRAFT}",),
        "--cache-type-v-draft": (f"q8_0 {_DRAFT}",), "--threads-draft": (f"1 {_DRAFT}",),
        "--threads-batch-draft": (f"1 {_DRAFT}",), "--override-tensor-draft": (f"ffn_up=CPU {_DRAFT}",),
        "--cpu-moe-draft": (f" {_DRAFT}",), "--n-cpu-moe-draft": (f"1 {_DRAFT}",),
        "--spec-draft-backend-sampling": (f" {_DRAFT}",), "--spec-ngram-mod-n-min": ("8 --spec-type ngram-mod",),
        "--spec-ngram-mod-n-max": ("32 --spec-type ngram-mod",),
        "--spec-ngram-mod-n-match": ("16 --spec-type ngram-mod",), "--image-min-tokens": ("4",),
        "--image-max-tokens": ("64",), "--mtmd-batch-max-tokens": ("256",), "--pooling": ("cls", "mean"),
        "--embd-normalize": ("-1",), "--temp": ("0.3",), "--top-k": ("7",), "--top-p": ("0.5",), "--min-p": ("0.2",),
        "--seed": ("42",), "--repeat-penalty": ("1.3",), "--repeat-last-n": ("32",), "--presence-penalty": ("0.5",),
        "--frequency-penalty": ("0.5",), "--typical": ("0.9",), "--top-nsigma": ("1.5",),
        "--xtc-probability": ("0.5",), "--xtc-threshold": ("0.2",), "--dry-multiplier": ("0.8",), "--dry-base": ("2",),
        "--dry-allowed-length": ("3",), "--dry-penalty-last-n": ("128",), "--dry-sequence-breaker": ("none",),
        "--dynatemp-range": ("0.3",), "--dynatemp-exp": ("1.5",), "--adaptive-target": ("0.5",),
        "--adaptive-decay": ("0.8",), "--mirostat": ("2",), "--mirostat-lr": ("0.2",), "--mirostat-ent": ("4",),
        "--samplers": ("top_k;temperature",), "--sampler-seq": ("kt",), "--logit-bias": ("260+9",),
        "--predict": ("5",), "--grammar": ('root::="yes"',), "--grammar-file": ("{grammar}",),
        "--json-schema": ('{"type":"boolean"}',), "--json-schema-file": ("{schema}",),
    }
)  # fmt: skip
"""The values by option, each with further arguments that it needs; switches without an entry are tried on and off."""


def trials() -> Iterator[Trial]:
    """Yield the trials of all options in the order of the table."""
    for option in ENGINE_OPTIONS:
        values = _ARGUMENTS.get(option.name)
        if values is None and not option.is_switch:
            values = ("6 " + _type_of(option.name),)
        for value in values or ("",):
            yield Trial(option=option, arguments=(option.name, *value.split()), model=_model_of(option))
        for name in option.off_names[:1]:
            yield Trial(option=option, arguments=(name, *_needed(values)), model=_model_of(option))


def _type_of(name: str) -> str:
    """Return the kind of drafts of an option such as ``--spec-ngram-map-k-size-n``."""
    kind = name.removeprefix("--spec-").partition("-size-")[0].partition("-min-")[0]
    return f"--spec-type {kind}"


def _needed(values: tuple[str, ...] | None) -> list[str]:
    return values[0].split() if values else []


def _model_of(option: EngineOption) -> Model:
    if option.name in {"--pooling", "--embd-normalize"}:
        return Model.EMBEDDING
    if option.name.startswith(("--mmproj", "--image", "--mtmd")):
        return Model.VISION
    return Model.CHAT
