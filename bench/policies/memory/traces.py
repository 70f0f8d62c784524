"""Traffic for models of different sizes. As in ``bench.policies.traces``, all policies see the same clients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.policies.simulator import Ask, Client, Model, Think
from bench.policies.traces import STOP_S, later

from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec

SEEDS = tuple(range(1, 11))
GIB = 2**30
START_S = 0.6
READ_S_PER_GIB = 0.7
"""A load: the start of the engine, and reading the file from an SSD at 1.5 GB/s."""
SMALL_GIB = 2.0
"""Loads of models up to this size are reported separately."""

ANSWER_S = (2.0, 8.0)
QUICK_S = (0.05, 0.3)
COMPLETION_S = (0.2, 0.8)
TITLE_S = (0.3, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTrace:
    """A usage pattern, the models that it uses and the memory of its machine."""

    name: str
    title: str
    clients: Callable[[int], list[Client]]
    """Returns the clients for a seed."""
    models: tuple[Model, ...]
    budget: DeviceBytes = field(hash=False)


def sized(number: int, name: str, ram_gib: float = 0.0, gpu_gib: float = 0.0) -> Model:
    """Return a model of this size; its load time follows from the size."""
    spec = ModelLaunchSpec(model_id=number, model_name=name, path=Path(f"/{name}.gguf"))
    size = {"ram": int(ram_gib * GIB), "gpu0": int(gpu_gib * GIB)}
    load_s = START_S + READ_S_PER_GIB * (ram_gib + gpu_gib)
    return Model(spec=spec, load_s=load_s, stop_s=STOP_S, size={d: b for d, b in size.items() if b})


def is_small(model: Model) -> bool:
    """Whether a model's loads are reported as those of small models."""
    return sum(model.size.values()) <= SMALL_GIB * GIB


EMBEDDER, RERANKER = sized(1, "embedder", 0.3), sized(2, "reranker", 0.6)
CHAT, OTHER_CHAT = sized(3, "chat", 4.5), sized(4, "other-chat", 5.0)
BIG = sized(5, "big", 20.0)
SMALL = tuple(sized(10 + n, f"small-{n}", gib) for n, gib in enumerate((0.3, 0.6, 1.0, 1.8)))
MIXED = tuple(
    sized(20 + n, f"mixed-{n}", gib)
    for n, gib in enumerate((0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 4.5, 6.0, 8.0, 9.0))
)
PLANNER, CODER, TITLE = sized(40, "planner", 9.0), sized(41, "coder", 5.0), sized(42, "title", 0.8)
COMPLETER, ASSISTANT, REVIEWER = (
    sized(50, "completer", 1.6),
    sized(51, "assistant", 9.0),
    sized(52, "reviewer", 10.0),
)
GPU_CHAT, GPU_CODER = sized(60, "gpu-chat", 0.5, 8.0), sized(61, "gpu-coder", 0.5, 6.0)
GPU_VISION, RAM_CHAT = sized(62, "gpu-vision", 0.5, 3.5), sized(63, "ram-chat", 4.5)
RAM_TITLE = sized(64, "ram-title", 1.6)


def rag(seed: int) -> list[Client]:
    """Two users search and ask, each with a chat model; a third program indexes documents now and then."""
    return [
        _searches(_draw(seed, 0), CHAT),
        later(7.0, _searches(_draw(seed, 1), OTHER_CHAT)),
        later(20.0, _indexes(_draw(seed, 2))),
    ]


def small_beside_big(seed: int) -> list[Client]:
    """Four programs on small models, and one that needs most of the memory every minute or two."""
    small = [
        later(1.0 + n, _loop(_draw(seed, n), (model,), 60, QUICK_S, (3.0 + 4 * n, 12.0 + 8 * n)))
        for n, model in enumerate(SMALL)
    ]
    return [*small, later(5.0, _loop(_draw(seed, 9), (BIG,), 12, ANSWER_S, (20.0, 90.0)))]


def ten_models(seed: int) -> list[Client]:
    """Many users and ten models of different sizes, a few of which are popular; the seed says which."""
    draw = _draw(seed, 0)
    models = draw.sample(MIXED, len(MIXED))
    popularity = [1 / (rank + 1) for rank in range(len(models))]
    clients: list[Client] = []
    at_s = 0.0
    for number in range(300):
        at_s += draw.expovariate(1 / 5.0)
        model = draw.choices(models, popularity)[0]
        service_s = QUICK_S if is_small(model) else ANSWER_S
        clients.append(later(at_s, _loop(_draw(seed, number + 1), (model,), 1, service_s, (0.0, 0.0))))
    return clients


def agents(seed: int) -> list[Client]:
    """Two agents that plan, write code in a few steps, and request a title for the conversation."""
    return [later(11.0 * n, _works(_draw(seed, n))) for n in range(2)]


def coding(seed: int) -> list[Client]:
    """Write code, with completions while typing, questions to a chat, embeddings of saved files, and reviews."""
    return [
        _loop(_draw(seed, 0), (COMPLETER,), 200, COMPLETION_S, (0.5, 8.0)),
        later(10.0, _loop(_draw(seed, 1), (ASSISTANT,), 20, ANSWER_S, (5.0, 60.0))),
        later(15.0, _loop(_draw(seed, 2), (EMBEDDER,), 40, QUICK_S, (5.0, 40.0))),
        later(120.0, _loop(_draw(seed, 3), (REVIEWER,), 5, ANSWER_S, (60.0, 240.0))),
    ]


def gpu_and_ram(seed: int) -> list[Client]:
    """Three models on the GPU, and four in the RAM."""
    return [
        _loop(_draw(seed, 0), (GPU_CHAT,), 30, ANSWER_S, (2.0, 30.0)),
        later(4.0, _loop(_draw(seed, 1), (GPU_CODER, GPU_CODER, GPU_VISION), 30, ANSWER_S, (5.0, 30.0))),
        later(6.0, _searches(_draw(seed, 2), RAM_CHAT)),
        later(9.0, _loop(_draw(seed, 3), (RAM_TITLE,), 40, TITLE_S, (5.0, 40.0))),
    ]


TRACES = (
    MemoryTrace(
        name="rag",
        title="Search and ask: an embedder and a reranker beside two chats",
        clients=rag,
        models=(EMBEDDER, RERANKER, CHAT, OTHER_CHAT),
        budget={"ram": 8 * GIB},
    ),
    MemoryTrace(
        name="small-beside-big",
        title="Four small models beside one big model",
        clients=small_beside_big,
        models=(*SMALL, BIG),
        budget={"ram": 22 * GIB},
    ),
    MemoryTrace(
        name="ten-models",
        title="Ten models of mixed sizes, a few popular",
        clients=ten_models,
        models=MIXED,
        budget={"ram": 16 * GIB},
    ),
    MemoryTrace(
        name="agents",
        title="Two agents: planner, coder, title",
        clients=agents,
        models=(PLANNER, CODER, TITLE),
        budget={"ram": int(14.4 * GIB)},
    ),
    MemoryTrace(
        name="coding",
        title="A coding session: completions, chat, embeddings, reviews",
        clients=coding,
        models=(COMPLETER, ASSISTANT, EMBEDDER, REVIEWER),
        budget={"ram": int(10.8 * GIB)},
    ),
    MemoryTrace(
        name="gpu-and-ram",
        title="Models on the GPU and in the RAM",
        clients=gpu_and_ram,
        models=(GPU_CHAT, GPU_CODER, GPU_VISION, RAM_CHAT, EMBEDDER, RERANKER, RAM_TITLE),
        budget={"ram": 7 * GIB, "gpu0": 12 * GIB},
    ),
)


def _loop(
    draw: Random,
    models: tuple[Model, ...],
    count: int,
    service_s: tuple[float, float],
    think_s: tuple[float, float],
) -> Client:
    for number in range(count):
        yield Ask(models[number % len(models)], draw.uniform(*service_s))
        yield Think(draw.uniform(*think_s))


def _searches(draw: Random, chat: Model) -> Client:
    """Embed the question, rank what was found, and ask the chat, 25 times."""
    for _ in range(25):
        for model, service_s in ((EMBEDDER, QUICK_S), (RERANKER, QUICK_S), (chat, ANSWER_S)):
            yield Ask(model, draw.uniform(*service_s))
        yield Think(draw.uniform(5.0, 40.0))


def _indexes(draw: Random) -> Client:
    """Embed five documents in a row, then pause, 20 times."""
    for _ in range(20):
        yield from _loop(draw, (EMBEDDER,), 5, QUICK_S, (0.05, 0.1))
        yield Think(draw.uniform(10.0, 50.0))


def _works(draw: Random) -> Client:
    for _ in range(12):
        yield from _steps(draw, PLANNER, 1)
        yield from _steps(draw, CODER, draw.randint(2, 5))
        yield Ask(TITLE, draw.uniform(*TITLE_S))
        yield Think(draw.uniform(2.0, 20.0))


def _steps(draw: Random, model: Model, count: int) -> Iterator[Ask | Think]:
    for _ in range(count):
        yield Ask(model, draw.uniform(*ANSWER_S))
        yield Think(draw.uniform(0.5, 3.0))


def _draw(seed: int, client: int) -> Random:
    return Random(f"memory/{seed}/{client}")
