"""The steps of a tuning: which engine arguments are tried, one kind of option after the other. Pure.

A step lists its candidates when it begins, from the arguments that are the best so far. An option that these set has
the engine's default among its candidates. Values that are set already, and defaults that are known, are no candidates.
Whether the engine in use takes an option is not decided here: ask it (``Engine.check_engine_args``).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gglib.runtime.engines.llama_cpp.tuning.arguments import ArgumentChange, option_values

_THREADS, _BATCH_THREADS = "--threads", "--threads-batch"
_BATCH, _MICRO_BATCH = "--batch-size", "--ubatch-size"
_FLASH, _CACHE_K, _CACHE_V = "--flash-attn", "--cache-type-k", "--cache-type-v"
_GPU_LAYERS, _CPU_EXPERTS, _CPU_EXPERT_LAYERS = "--gpu-layers", "--cpu-moe", "--n-cpu-moe"
_DEFAULT_BATCH, _DEFAULT_MICRO_BATCH = 2048, 512
"""Defaults of llama.cpp and of the embedded engine."""
_MICRO_BATCHES = (128, 256, 512, 1024, 2048)
_FLOAT_TYPES = frozenset(("f32", "f16", "bf16"))
_QUANTIZED = "q8_0"
"""The K/V type with the smallest loss; others save more memory."""


class StepKind(Enum):
    """The kinds of options, in the order in which they are tried: those that matter most come first."""

    GPU = "gpu"
    THREADS = "threads"
    BATCH = "batch"
    FLASH = "flash"
    KV = "kv"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What the candidates depend on."""

    cores: int | None = None
    """Physical cores, which are the default number of threads; None: unknown, no threads are tried."""
    cpus: int | None = None
    """Logical processors."""
    has_gpu: bool = False
    """Whether the engine can use a GPU."""
    layers: int | None = None
    """Of the model; None: unknown."""
    has_experts: bool = False
    """Whether it is a mixture of experts, whose experts may stay in RAM."""
    prompt_tokens: int = _DEFAULT_MICRO_BATCH
    """Of the measured prompt: a larger micro-batch computes the same."""
    is_quick: bool = False
    """Whether to try fewer candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Engine arguments to try."""

    change: ArgumentChange
    is_lossy: bool = False
    """Whether it changes the model's answers: a quantised K/V cache."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of option; ``candidates`` are those for the arguments that are the best so far."""

    kind: StepKind
    candidates: Callable[[Sequence[str]], tuple[Candidate, ...]]
    reason_if_empty: str
    """Why there is nothing to try, in a clause."""


def tuning_steps(facts: MachineFacts, only: Collection[StepKind] = ()) -> tuple[Step, ...]:
    """Return the steps in their order; ``only`` selects some kinds, empty: all."""
    cores = "the number of cores is unknown" if facts.cores is None else "this machine has one core"
    steps = (
        Step(StepKind.GPU, lambda args: _gpu(args, facts), "the engine uses no GPU"),
        Step(StepKind.THREADS, lambda args: _threads(args, facts), cores),
        Step(StepKind.THREADS, lambda args: _batch_threads(args, facts), ""),
        Step(StepKind.BATCH, lambda args: _batch(args, facts), "the prompt is too short"),
        Step(StepKind.FLASH, _flash, ""),
        Step(StepKind.KV, lambda args: _kv(args, facts), ""),
        Step(StepKind.DRAFT, _draft, "the model has no draft options"),
    )
    return tuple(step for step in steps if not only or step.kind in only)


def _gpu(arguments: Sequence[str], facts: MachineFacts) -> tuple[Candidate, ...]:
    if not facts.has_gpu or facts.layers is None:
        return ()
    all_layers = facts.layers + 1  # llama.cpp counts the output as a layer
    shares = (all_layers, 0) if facts.is_quick else (all_layers, all_layers * 3 // 4, all_layers // 2, 0)
    found = _numbers(arguments, _GPU_LAYERS, shares, default=None)
    experts: list[ArgumentChange] = []
    if facts.has_experts:
        experts = [
            _set((_CPU_EXPERTS, None), removed=(_CPU_EXPERT_LAYERS,)),
            _set((_CPU_EXPERT_LAYERS, str(facts.layers // 2)), removed=(_CPU_EXPERTS,)),
        ]
    return _candidates(arguments, (*found, *experts, *_defaults(arguments, _CPU_EXPERTS, _CPU_EXPERT_LAYERS)))


def _threads(arguments: Sequence[str], facts: MachineFacts) -> tuple[Candidate, ...]:
    cores = facts.cores
    if cores is None:
        return ()
    cpus = max(cores, facts.cpus or cores)
    shares = [cores // 2, cores, cpus]
    if not facts.is_quick:
        shares += [cores // 4, cores * 3 // 4]
    return _candidates(arguments, _numbers(arguments, _THREADS, _ascending(shares), default=cores))


def _batch_threads(arguments: Sequence[str], facts: MachineFacts) -> tuple[Candidate, ...]:
    """Return more threads for prompts than for generation: prompts use more of the arithmetic units."""
    threads = option_values(arguments).get(_THREADS) or facts.cores
    if facts.cores is None or threads is None:
        return ()
    counts = _ascending((facts.cores, max(facts.cores, facts.cpus or 0)))
    return _candidates(arguments, _numbers(arguments, _BATCH_THREADS, counts, default=int(threads)))


def _batch(arguments: Sequence[str], facts: MachineFacts) -> tuple[Candidate, ...]:
    """Return the micro-batches, in which a prompt is computed; the batch is raised where it would be the smaller.

    Sizes beyond the prompt compute it alike: only the first of these counts, and none if that is so now.
    """
    values = option_values(arguments)
    now = min(int(values.get(_MICRO_BATCH) or _DEFAULT_MICRO_BATCH), facts.prompt_tokens)
    sizes = {min(size, facts.prompt_tokens): size for size in reversed(_MICRO_BATCHES)}
    wanted = sorted(size for used, size in sizes.items() if used != now)
    if facts.is_quick:
        wanted = [size for size in wanted if size in {256, 1024}]
    batch = int(values.get(_BATCH) or _DEFAULT_BATCH)
    changes = _numbers(arguments, _MICRO_BATCH, wanted, default=_DEFAULT_MICRO_BATCH)
    return _candidates(arguments, (_with_batch(change, batch) for change in changes))


def _with_batch(change: ArgumentChange, batch: int) -> ArgumentChange:
    sizes = [text for _, text in change.values if text is not None and int(text) > batch]
    return _set((_BATCH, sizes[0]), *change.values) if sizes else change


def _flash(arguments: Sequence[str]) -> tuple[Candidate, ...]:
    """Return on and off; the default is automatic. A quantised V cache needs it on (llama.cpp's own check)."""
    if option_values(arguments).get(_CACHE_V, "f16") not in _FLOAT_TYPES:
        return ()
    return _candidates(
        arguments, (_set((_FLASH, "on")), _set((_FLASH, "off")), *_defaults(arguments, _FLASH))
    )


def _kv(arguments: Sequence[str], facts: MachineFacts) -> tuple[Candidate, ...]:
    keys = _set((_CACHE_K, _QUANTIZED), removed=(_CACHE_V,))
    both = _set((_CACHE_K, _QUANTIZED), (_CACHE_V, _QUANTIZED), (_FLASH, "on"))
    lossy = (both,) if facts.is_quick else (keys, both)
    return (
        *_candidates(arguments, _defaults(arguments, _CACHE_K, _CACHE_V)),
        *_candidates(arguments, lossy, is_lossy=True),
    )


def _draft(arguments: Sequence[str]) -> tuple[Candidate, ...]:
    """Return the arguments without a draft, if they have one: what a draft gains depends on the text."""
    names = [name for name in option_values(arguments) if "draft" in name or name.startswith("--spec-")]
    return _candidates(arguments, [ArgumentChange(removed=tuple(names))] if names else [])


def _numbers(
    arguments: Sequence[str], name: str, numbers: Iterable[int], *, default: int | None
) -> list[ArgumentChange]:
    """Return the changes of an option to each of these numbers; to its default by leaving it out."""
    changes = [_set((name, str(number))) for number in numbers if number != default]
    return [*changes, *_defaults(arguments, name)]


def _defaults(arguments: Sequence[str], *names: str) -> list[ArgumentChange]:
    present = tuple(name for name in names if name in option_values(arguments))
    return [ArgumentChange(removed=present)] if present else []


def _candidates(
    arguments: Sequence[str], changes: Iterable[ArgumentChange], *, is_lossy: bool = False
) -> tuple[Candidate, ...]:
    """Return the changes that change something."""
    now = option_values(arguments)
    return tuple(
        Candidate(change=change, is_lossy=is_lossy) for change in changes if not _is_applied(now, change)
    )


def _is_applied(now: Mapping[str, str | None], change: ArgumentChange) -> bool:
    has_values = all(name in now and now[name] == text for name, text in change.values)
    return has_values and not any(name in now for name in change.removed)


def _set(*values: tuple[str, str | None], removed: tuple[str, ...] = ()) -> ArgumentChange:
    return ArgumentChange(values=values, removed=removed)


def _ascending(numbers: Iterable[int]) -> list[int]:
    return sorted({number for number in numbers if number >= 1})
