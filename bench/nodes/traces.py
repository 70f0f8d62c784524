"""The traffic and the nodes of each trace. All policies see the same clients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from bench.nodes.front import Ask
from bench.nodes.machine import BATCHING_SHARE, SLOTS, Model

TOKEN_S = 0.02
TOKENS = (50, 550)
PROMPT_S = (0.1, 0.6)
MODEL_GIB, LOAD_S = 4, 6.0
NODE_GIB = 12
"""Three models fit."""
RESPONSE_S = (sum(TOKENS) / 2 * TOKEN_S + sum(PROMPT_S) / 2) * (1 + BATCHING_SHARE * (SLOTS - 1))
RATE = SLOTS / RESPONSE_S
"""Requests per second that one node of speed 1 can serve of a model that is ready."""


@dataclass(frozen=True, slots=True)
class Think:
    """The client pauses."""

    seconds: float


Client = Iterator[Think | Ask]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node of a trace."""

    models: tuple[Model, ...]
    speed: float = 1.0
    gib: int = NODE_GIB
    dies_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A usage pattern. Traffic grows with the number of nodes."""

    name: str
    title: str
    description: str
    nodes: Callable[[int], list[NodeSpec]]
    clients: Callable[[int, int], list[Client]]
    """Returns the clients for a number of nodes and a seed."""
    fronts: int = 1


def a_model(name: str) -> Model:
    """Return a model with the usual costs."""
    return Model(name, MODEL_GIB, LOAD_S)


HOT = (a_model("hot"),)
FEW = tuple(a_model(f"few{number}") for number in range(3))


def many(nodes: int) -> tuple[Model, ...]:
    """Return twice as many models as fit into the memory of all nodes if each is loaded once."""
    return tuple(a_model(f"m{number}") for number in range(6 * nodes))


def alike(models: tuple[Model, ...]) -> Callable[[int], list[NodeSpec]]:
    """Return nodes that all have the models."""
    return lambda nodes: [NodeSpec(models=models) for _ in range(nodes)]


def arrivals(
    nodes: int, seed: int, *, rate: float, seconds: float, models: Callable[[Random], Model]
) -> list[Client]:
    """Return requests at random times, ``rate`` per second and node."""
    draw = Random(f"arrivals/{seed}")
    clients, at_s = [], 0.0
    while (at_s := at_s + draw.expovariate(rate * nodes)) < seconds:
        clients.append(once(at_s, an_ask(draw, models(draw))))
    return clients


def an_ask(draw: Random, model: Model) -> Ask:
    """Return a request without a conversation."""
    prompt_s = draw.uniform(*PROMPT_S)
    return Ask(
        model=model,
        tokens=draw.randint(*TOKENS),
        token_s=TOKEN_S,
        prompt_s=prompt_s,
        new_prompt_s=prompt_s,
    )


def once(at_s: float, ask: Ask) -> Client:
    """Send one request."""
    yield Think(at_s)
    yield ask


def hot(nodes: int, seed: int) -> list[Client]:
    """One model, 70 % of what all nodes together can serve."""
    return arrivals(nodes, seed, rate=0.7 * RATE, seconds=150, models=lambda _: HOT[0])


def zipf(nodes: int, seed: int) -> list[Client]:
    """Many models, a few of them popular."""
    models = many(nodes)
    weights = [1 / (rank + 1) for rank in range(len(models))]
    return arrivals(
        nodes, seed, rate=0.3 * RATE, seconds=300, models=lambda draw: draw.choices(models, weights)[0]
    )


def agents(nodes: int, seed: int) -> list[Client]:
    """Five agents for each node, with conversations that grow; every third one uses a second model."""
    return [agent(Random(f"agent/{seed}/{number}"), number) for number in range(5 * nodes)]


def agent(draw: Random, number: int) -> Client:
    """Work in 15 turns, with a tool between two of them."""
    yield Think(draw.uniform(0, 20))
    prompt_s = draw.uniform(1, 4)
    model = FEW[number % 3 == 0]
    for _ in range(15):
        new_s = draw.uniform(0.2, 1.0)
        prompt_s += new_s
        yield Ask(
            model=model,
            tokens=draw.randint(50, 250),
            token_s=TOKEN_S,
            prompt_s=prompt_s,
            new_prompt_s=new_s,
            conversation=f"agent{number}",
        )
        yield Think(draw.uniform(0.2, 5.0))


def bursts(nodes: int, seed: int) -> list[Client]:
    """Every 25 s six requests for each node at once, for one of three models."""
    draw = Random(f"bursts/{seed}")
    clients = []
    for number in range(6):
        model = draw.choice(FEW)
        clients += [once(1 + 25.0 * number, an_ask(draw, model)) for _ in range(6 * nodes)]
    return clients


def mixed(nodes: int, seed: int) -> list[Client]:
    """Three models, 60 % of what all nodes together can serve."""
    return arrivals(nodes, seed, rate=0.6 * RATE, seconds=150, models=lambda draw: draw.choice(FEW))


def unequal(nodes: int, seed: int) -> list[Client]:
    """Three models, 60 % of what the nodes can serve of which every second one is four times as fast."""
    return arrivals(nodes, seed, rate=0.6 * 2.5 * RATE, seconds=100, models=lambda draw: draw.choice(FEW))


def flood(nodes: int, seed: int) -> list[Client]:
    """Ten requests of a batch for each node at once, and other requests for two other models."""
    draw = Random(f"flood/{seed}")
    batch = [once(5.0, an_ask(draw, FEW[0])) for _ in range(10 * nodes)]
    others = FEW[1:]
    return batch + arrivals(
        nodes, seed, rate=0.3 * RATE, seconds=120, models=lambda draw: draw.choice(others)
    )


def some_die(nodes: int) -> list[NodeSpec]:
    """Return nodes of which every eighth, at least one, dies after 50 s."""
    return [
        NodeSpec(models=FEW, dies_at_s=50.0 + number if number < max(1, nodes // 8) else None)
        for number in range(nodes)
    ]


def some_fast(nodes: int) -> list[NodeSpec]:
    """Return nodes of which every second one is four times as fast."""
    return [NodeSpec(models=FEW, speed=4.0 if number % 2 else 1.0) for number in range(nodes)]


def tight(nodes: int) -> list[NodeSpec]:
    """Return nodes with memory for two of three models."""
    return [NodeSpec(models=FEW, gib=2 * MODEL_GIB) for _ in range(nodes)]


def zipf_nodes(nodes: int) -> list[NodeSpec]:
    """Return nodes that have all of the many models."""
    return [NodeSpec(models=many(nodes)) for _ in range(nodes)]


TRACES = (
    Trace(name="hot", title="One hot model", description=str(hot.__doc__), nodes=alike(HOT), clients=hot),
    Trace(
        name="zipf",
        title="Many models, a few popular",
        description=f"{zipf.__doc__} Half of them fit into the memory of all nodes.",
        nodes=zipf_nodes,
        clients=zipf,
    ),
    Trace(
        name="agents",
        title="Agents with long conversations",
        description=f"{agents.__doc__} Their prompts take up to 12 s where no cache has them.",
        nodes=alike(FEW),
        clients=agents,
    ),
    Trace(name="bursts", title="Bursts", description=str(bursts.__doc__), nodes=alike(FEW), clients=bursts),
    Trace(
        name="death",
        title="Nodes that die",
        description=f"{mixed.__doc__} Every eighth node, at least one, dies after 50 s.",
        nodes=some_die,
        clients=mixed,
    ),
    Trace(
        name="unequal",
        title="Fast and slow nodes",
        description=str(unequal.__doc__),
        nodes=some_fast,
        clients=unequal,
    ),
    Trace(
        name="fronts",
        title="Four fronts",
        description=f"{mixed.__doc__} Each client uses one of four fronts, which do not know of each other.",
        nodes=alike(FEW),
        clients=mixed,
        fronts=4,
    ),
    Trace(
        name="flood",
        title="A batch beside others",
        description=f"{flood.__doc__} Memory for two of the three models.",
        nodes=tight,
        clients=flood,
    ),
)
