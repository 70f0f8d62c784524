"""Which engine arguments are tried."""

from collections.abc import Sequence

import pytest

from gglib.runtime.engines.llama_cpp.options import parse_engine_args
from gglib.runtime.engines.llama_cpp.tuning.arguments import changed_arguments
from gglib.runtime.engines.llama_cpp.tuning.steps import MachineFacts, StepKind, tuning_steps

CPU = MachineFacts(cores=8, cpus=16)
GPU = MachineFacts(cores=8, cpus=16, has_gpu=True, layers=31, has_experts=True)


def labels(kind: StepKind, facts: MachineFacts = CPU, arguments: Sequence[str] = ()) -> list[str]:
    """Return the candidates of the first step of a kind."""
    step = tuning_steps(facts, [kind])[0]
    return [candidate.change.label for candidate in step.candidates(arguments)]


def second(facts: MachineFacts, arguments: Sequence[str] = ()) -> list[str]:
    """Return the candidates of the second step for threads: those for prompts."""
    step = tuning_steps(facts, [StepKind.THREADS])[1]
    return [candidate.change.label for candidate in step.candidates(arguments)]


def test_the_kinds_come_in_their_order() -> None:
    """Threads have two steps: of generation, then of prompts."""
    assert [step.kind for step in tuning_steps(CPU)] == [
        StepKind.GPU,
        StepKind.THREADS,
        *[StepKind.THREADS, StepKind.BATCH, StepKind.FLASH, StepKind.KV, StepKind.DRAFT],
    ]
    only = (StepKind.KV, StepKind.BATCH)
    assert [step.kind for step in tuning_steps(CPU, only)] == [StepKind.BATCH, StepKind.KV]


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        (CPU, ["2", "4", "6", "16"]),
        (MachineFacts(cores=8, cpus=16, is_quick=True), ["4", "16"]),
        (MachineFacts(cores=8, cpus=None), ["2", "4", "6"]),
        (MachineFacts(cores=2, cpus=2), ["1"]),
        (MachineFacts(cores=1, cpus=2), ["2"]),
        (MachineFacts(cores=1, cpus=1), []),
        (MachineFacts(cores=4, cpus=2), ["1", "2", "3"]),
        (MachineFacts(), []),
    ],
)
def test_threads_are_shares_of_the_cores(facts: MachineFacts, counts: list[str]) -> None:
    """The default is a thread for each core, so that is no candidate."""
    assert labels(StepKind.THREADS, facts) == [f"--threads {count}" for count in counts]


def test_a_set_option_has_its_default_among_the_candidates() -> None:
    """Which has a name: no number. Its own value is none, in any spelling."""
    assert labels(StepKind.THREADS, CPU, ("-t", "6")) == [
        *(f"--threads {count}" for count in (2, 4, 16)),
        "without --threads",
    ]


def test_prompts_may_have_more_threads_than_the_generation() -> None:
    """Their default is the number of threads of the generation."""
    assert second(CPU) == ["--threads-batch 16"]
    assert second(CPU, ("--threads", "4")) == ["--threads-batch 8", "--threads-batch 16"]
    assert second(CPU, ("--threads", "8", "-tb", "16")) == ["without --threads-batch"]
    assert second(MachineFacts()) == []


@pytest.mark.parametrize(
    ("prompt_tokens", "sizes"),
    [
        (512, [128, 256]),
        (513, [128, 256, 1024]),
        (2048, [128, 256, 1024, 2048]),
        (800, [128, 256, 1024]),
        (160, [128]),
        (129, [128]),
        (128, []),
        (1, []),
    ],
)
def test_micro_batches_are_no_larger_than_the_prompt_needs(prompt_tokens: int, sizes: list[int]) -> None:
    """A larger one computes the same."""
    facts = MachineFacts(prompt_tokens=prompt_tokens)
    assert labels(StepKind.BATCH, facts) == [f"--ubatch-size {size}" for size in sizes]


def test_a_small_micro_batch_of_the_user_has_larger_ones_beside_it() -> None:
    """Up to the first one that holds the whole prompt; and the default."""
    facts = MachineFacts(prompt_tokens=300)
    assert labels(StepKind.BATCH, facts, ("-ub", "64")) == [
        *(f"--ubatch-size {size}" for size in (128, 256)),
        "without --ubatch-size",
    ]


def test_quick_tries_fewer_micro_batches() -> None:
    """One below and one above the default."""
    facts = MachineFacts(prompt_tokens=4096, is_quick=True)
    assert labels(StepKind.BATCH, facts) == ["--ubatch-size 256", "--ubatch-size 1024"]


def test_the_batch_grows_with_the_micro_batch() -> None:
    """llama.cpp cuts the micro-batch to the batch."""
    facts = MachineFacts(prompt_tokens=600)
    assert labels(StepKind.BATCH, facts, ("-b", "256")) == [
        "--ubatch-size 128",
        "--ubatch-size 256",
        "--batch-size 1024 --ubatch-size 1024",
    ]


def test_flash_attention_is_tried_on_and_off() -> None:
    """The default is automatic."""
    assert labels(StepKind.FLASH) == ["--flash-attn on", "--flash-attn off"]
    assert labels(StepKind.FLASH, CPU, ("-fa", "on")) == ["--flash-attn off", "without --flash-attn"]


@pytest.mark.parametrize("cache", ["q8_0", "q4_0"])
def test_flash_attention_stays_with_a_quantized_v_cache(cache: str) -> None:
    """Which needs it: the load would fail."""
    assert labels(StepKind.FLASH, CPU, ("-ctv", cache, "-fa", "on")) == []
    assert labels(StepKind.FLASH, CPU, ("-ctv", "bf16")) != []


def test_quantized_caches_are_marked_as_lossy() -> None:
    """A quantised V cache comes with flash attention."""
    (step,) = tuning_steps(CPU, [StepKind.KV])
    found = step.candidates(())
    assert [candidate.change.label for candidate in found] == [
        "--cache-type-k q8_0",
        "--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on",
    ]
    assert all(candidate.is_lossy for candidate in found)


def test_the_default_of_the_caches_is_not_lossy() -> None:
    """It is tried where the model has other types."""
    (step,) = tuning_steps(MachineFacts(is_quick=True), [StepKind.KV])
    found = step.candidates(("-ctk", "q4_0"))
    assert [(candidate.change.label, candidate.is_lossy) for candidate in found] == [
        ("without --cache-type-k", False),
        ("--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on", True),
    ]


def test_layers_and_experts_are_tried_where_the_engine_uses_a_gpu() -> None:
    """The default is the engine's own choice, so that all values are candidates."""
    assert labels(StepKind.GPU, GPU) == [
        *(f"--gpu-layers {count}" for count in (32, 24, 16, 0)),
        "--cpu-moe",
        "--n-cpu-moe 15",
    ]
    assert labels(StepKind.GPU) == []
    assert labels(StepKind.GPU, MachineFacts(has_gpu=True)) == []


def test_a_dense_model_has_no_experts_to_place() -> None:
    """And ``--quick`` tries all layers and none."""
    facts = MachineFacts(has_gpu=True, layers=31, is_quick=True)
    assert labels(StepKind.GPU, facts) == ["--gpu-layers 32", "--gpu-layers 0"]
    assert labels(StepKind.GPU, facts, ("-ngl", "0")) == ["--gpu-layers 32", "without --gpu-layers"]


def test_experts_in_ram_replace_their_other_option() -> None:
    """``--cpu-moe`` is ``--n-cpu-moe`` for all layers."""
    assert labels(StepKind.GPU, GPU, ("--n-cpu-moe", "15"))[-2:] == ["--cpu-moe", "without --n-cpu-moe"]


def test_a_model_without_a_draft_has_nothing_to_try() -> None:
    """What a draft gains depends on the text, so that none is proposed."""
    (step,) = tuning_steps(CPU, [StepKind.DRAFT])
    assert step.candidates(("--threads", "1")) == ()
    assert step.reason_if_empty == "the model has no draft options"


@pytest.mark.parametrize("facts", [CPU, GPU, MachineFacts(cores=3, cpus=3, prompt_tokens=9000)])
@pytest.mark.parametrize(
    "arguments", [(), ("-t", "3", "-ub", "64", "-fa", "off", "-ctk", "q5_0", "-ngl", "7", "-cmoe")]
)
def test_every_candidate_changes_the_arguments_to_valid_ones(
    facts: MachineFacts, arguments: tuple[str, ...]
) -> None:
    """No two candidates of a step are alike."""
    for step in tuning_steps(facts):
        found = [changed_arguments(arguments, each.change) for each in step.candidates(arguments)]
        assert len(set(found)) == len(found)
        for changed in found:
            assert list(parse_engine_args(changed)) != list(parse_engine_args(arguments))
