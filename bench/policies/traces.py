"""The traffic of the simulated clients.

Each client has its own random generator, so all policies see the same clients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.policies.simulator import Ask, Client, Model, Think

from gglib.core.models import ModelLaunchSpec

SEEDS = tuple(range(1, 21))
LOAD_S = 4.0
STOP_S = 0.3
SERVICE_S = (2.0, 8.0)
"""Times of a model of a few billion parameters on an SSD, with responses of a few hundred tokens."""
TURNAROUND_S = 0.05
"""The delay before a program in a loop sends its next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A usage pattern, shortened to minutes."""

    name: str
    title: str
    clients: Callable[[int], list[Client]]
    """Returns the clients for a seed."""
    models: tuple[Model, ...]
    watched: Model | None = None
    """The model whose clients' wait is reported separately."""


def a_model(number: int, name: str, *, load_s: float = LOAD_S, fails_after_s: float | None = None) -> Model:
    """Return a model with default costs, unless given otherwise."""
    spec = ModelLaunchSpec(model_id=number, model_name=name, path=Path(f"/{name}.gguf"))
    return Model(spec=spec, load_s=load_s, stop_s=STOP_S, fails_after_s=fails_after_s)


A = a_model(1, "a")
B = a_model(2, "b")
EMBEDDING = a_model(3, "embedding", load_s=1.0)
BROKEN = a_model(4, "broken", fails_after_s=0.5)
LARGE = a_model(5, "large", load_s=10.0)
SMALL = a_model(6, "small", load_s=1.0)
MANY = tuple(a_model(10 + number, f"m{number}") for number in range(10))

QUICK_S = (0.05, 0.3)
ONCE = (0.0, 0.0)


def loop(
    draw: Random,
    models: tuple[Model, ...],
    *,
    count: int,
    think_s: tuple[float, float],
    service_s: tuple[float, float] = SERVICE_S,
) -> Client:
    """Send ``count`` requests, to each model in turn, and pause after each response."""
    for number in range(count):
        yield Ask(models[number % len(models)], draw.uniform(*service_s))
        yield Think(draw.uniform(*think_s))


def later(start_s: float, client: Client) -> Client:
    """Start a client at ``start_s``."""
    yield Think(start_s)
    yield from client


def two_loops(seed: int) -> list[Client]:
    """Two programs, each in a loop on its own model."""
    think_s = (TURNAROUND_S, TURNAROUND_S)
    return [
        later(0.1 * number, loop(_draw(seed, number), (model,), count=30, think_s=think_s))
        for number, model in enumerate((A, B))
    ]


def two_agents(seed: int) -> list[Client]:
    """Two agents, each on its own model, that run a tool between two requests."""
    return [
        later(0.1 * number, loop(_draw(seed, number), (model,), count=30, think_s=(0.5, 3.0)))
        for number, model in enumerate((A, B))
    ]


def never_idle(seed: int) -> list[Client]:
    """Three overlapping loops on A, and one request for B in the middle."""
    think_s = (TURNAROUND_S, TURNAROUND_S)
    busy = [
        later(1.7 * number, loop(_draw(seed, number), (A,), count=20, think_s=think_s)) for number in range(3)
    ]
    return [*busy, later(20.0, loop(_draw(seed, 3), (B,), count=1, think_s=ONCE))]


def agent(seed: int) -> list[Client]:
    """One agent that alternates between planning with A and writing with B."""
    return [loop(_draw(seed, 0), (A, B), count=30, think_s=(0.5, 3.0))]


def unequal_agent(seed: int) -> list[Client]:
    """One agent that alternates between a large model and a small one."""
    return [loop(_draw(seed, 0), (LARGE, SMALL), count=30, think_s=(0.5, 3.0))]


def chat_and_embeddings(seed: int) -> list[Client]:
    """Chat with A as a person does, while a tool requests embeddings from another model every few seconds."""
    return [
        loop(_draw(seed, 0), (A,), count=15, think_s=(2.0, 20.0)),
        later(6.0, loop(_draw(seed, 1), (EMBEDDING,), count=60, think_s=(2.0, 5.0), service_s=QUICK_S)),
    ]


def burst(seed: int) -> list[Client]:
    """Fifty requests at once for a model that is not loaded."""
    return [loop(_draw(seed, number), (A,), count=1, think_s=ONCE) for number in range(50)]


def ten_models(seed: int) -> list[Client]:
    """Many users and ten models, a few of which are popular."""
    draw = _draw(seed, 0)
    popularity = [1 / (rank + 1) for rank in range(len(MANY))]
    clients: list[Client] = []
    at_s = 0.0
    for number in range(150):
        at_s += draw.expovariate(1 / 4.0)
        model = draw.choices(MANY, popularity)[0]
        clients.append(later(at_s, loop(_draw(seed, number + 1), (model,), count=1, think_s=ONCE)))
    return clients


def broken_model(seed: int) -> list[Client]:
    """Work with A, while a program requests a model that cannot be loaded, and retries."""
    return [
        loop(_draw(seed, 0), (A,), count=25, think_s=(1.0, 4.0)),
        later(5.0, loop(_draw(seed, 1), (BROKEN,), count=40, think_s=(2.0, 5.0))),
    ]


def _draw(seed: int, client: int) -> Random:
    return Random(f"{seed}/{client}")


TRACES = (
    Trace(
        name="two-loops", title="Two programs, each in a loop on its model", clients=two_loops, models=(A, B)
    ),
    Trace(
        name="never-idle",
        title="A is never idle, one request for B",
        clients=never_idle,
        models=(A, B),
        watched=B,
    ),
    Trace(name="agent", title="One agent: A, B, A, B", clients=agent, models=(A, B)),
    Trace(
        name="unequal-agent",
        title="One agent: a large and a small model by turns",
        clients=unequal_agent,
        models=(LARGE, SMALL),
    ),
    Trace(
        name="chat-and-embeddings",
        title="A chat on A, embeddings every few seconds",
        clients=chat_and_embeddings,
        models=(A, EMBEDDING),
        watched=A,
    ),
    Trace(name="burst", title="Fifty requests at once, cold", clients=burst, models=(A,)),
    Trace(name="ten-models", title="Ten models, a few popular", clients=ten_models, models=MANY),
    Trace(
        name="broken-model",
        title="A broken model asked again and again",
        clients=broken_model,
        models=(A, BROKEN),
        watched=A,
    ),
    Trace(name="two-agents", title="Two agents, each on its model", clients=two_agents, models=(A, B)),
)
