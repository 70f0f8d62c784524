"""The placement on GPUs, from a model's engine arguments."""

import pytest

from gglib.core.errors import EngineArgumentError
from gglib.core.runtime.offload import Offload
from gglib.runtime.engines.llama_cpp.offload import parse_offload, prompt_cache_argument


@pytest.mark.parametrize(
    ("arguments", "offload"),
    [
        ("", Offload()),
        ("--threads 4 --gpu-layers -1", Offload()),
        ("-ngl 0", Offload(gpu_layers=0)),
        ("-ngl all", Offload(gpu_layers=2**31 - 1)),
        ("-ngl auto", Offload()),
        ("--fit off", Offload(gpu_layers=2**31 - 1)),
        ("--fit off -ngl 5", Offload(gpu_layers=5)),
        ("--fit on", Offload()),
        ("-ngl 4 --n-gpu-layers=9", Offload(gpu_layers=9)),
        ("--device none", Offload(gpus=())),
        ("--device CUDA1,CUDA0", Offload(gpus=(1, 0))),
        ("-dev Vulkan0,RPC", Offload(gpus=(0,))),
        ("--split-mode none", Offload(gpus=(0,))),
        ("--split-mode none --main-gpu 2", Offload(gpus=(2,))),
        ("-sm none -mg 1 -dev CUDA3,CUDA2", Offload(gpus=(2,))),
        ("-sm none -mg -1", Offload(gpus=(0,))),
        ("--main-gpu 2", Offload()),
        ("--tensor-split 3,1", Offload(shares=(3.0, 1.0))),
        ("--tensor-split 3/-1", Offload(shares=(3.0, 0.0))),
        ("--n-cpu-moe 5", Offload(cpu_expert_layers=5)),
        ("--cpu-moe", Offload(cpu_expert_layers=2**31 - 1)),
    ],
)
def test_placement(arguments: str, offload: Offload) -> None:
    """Each option has its part; unknown values leave the engine's default."""
    assert parse_offload(arguments.split()) == offload


@pytest.mark.parametrize(
    ("arguments", "limit"), [("", None), ("-cram 5 --cache-ram=0", 0), ("--cache-ram -1", -1)]
)
def test_prompt_cache_of_a_model(arguments: str, limit: int | None) -> None:
    """The last value applies."""
    assert prompt_cache_argument(arguments.split()) == limit


def test_unknown_arguments_are_refused() -> None:
    """The allow-list applies here, too."""
    with pytest.raises(EngineArgumentError):
        parse_offload(["--host", "0.0.0.0"])  # noqa: S104 - refused
