"""The traffic of the simulated clients, with a conversation behind each request.

The traces of ``bench.policies`` as they are, whose requests get prompts that grow; and a week of one person's work,
which lasts long enough for the limits of what is kept. All distributions are assumptions, stated in ``Style``; each
conversation has its own random generator, so all rules see the same prompts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bench.policies.simulator import Ask, Client, Model, Think
from bench.policies.traces import EMBEDDING, MANY, SERVICE_S, TRACES, A, B, Trace, loop

CONTEXT_TOKENS = 24_000
"""A conversation that would grow beyond it is summarized by its client, and begins anew."""
ANSWER = (200.0, 0.5)
"""Median and spread of the tokens of a response (log-normal, as all lengths here)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the prompts of a kind of conversation grow: medians and spreads (log-normal), in tokens."""

    first: tuple[float, float]
    growth: tuple[float, float]
    """What a turn adds to the prompt and the response before it: a message, or the output of a tool."""


AGENT = Style(first=(8000.0, 0.25), growth=(600.0, 0.7))
CHAT = Style(first=(700.0, 0.8), growth=(150.0, 0.8))
SINGLE = Style(first=(600.0, 0.9), growth=(0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Turn(Ask):
    """A request with a prompt."""

    conversation: str = ""
    """Prompts of one conversation begin with all of the prompt and response before."""
    prompt_tokens: int = 0
    answer_tokens: int = 0


class Conversation:
    """The growing prompt of one conversation."""

    def __init__(self, name: str, style: Style) -> None:
        self._name, self._style, self._draw = name, style, Random(name)
        self._part = self._tokens = 0

    def turn(self, ask: Ask) -> Turn:
        """Return the request with the next prompt."""
        added = self._style.growth if self._tokens else self._style.first
        prompt = self._tokens + self._length(*added)
        if prompt > CONTEXT_TOKENS:
            self._part += 1
            prompt = self._length(*self._style.first)
        answer = self._length(*ANSWER)
        self._tokens = prompt + answer
        return Turn(ask.model, ask.service_s, ask.patience_s, f"{self._name}/{self._part}", prompt, answer)

    def _length(self, median: float, spread: float) -> int:
        return round(median * math.exp(self._draw.gauss(0.0, spread))) if median else 1


def talking(client: Client, conversation_of: Callable[[Model], Conversation]) -> Client:
    """Give each request of a client its prompt. Embeddings leave nothing in their slots and stay as they are."""
    for step in client:
        is_talk = isinstance(step, Ask) and step.model is not EMBEDDING
        yield conversation_of(step.model).turn(step) if is_talk and isinstance(step, Ask) else step


STYLES = {
    "two-loops": AGENT,
    "never-idle": CHAT,
    "agent": AGENT,
    "chat-and-embeddings": CHAT,
    "burst": SINGLE,
    "broken-model": CHAT,
    "two-agents": AGENT,
}
"""One conversation for each client and model of these traces."""


def with_conversations(trace: Trace, style: Style) -> Trace:
    """Return a trace of ``bench.policies`` whose clients talk."""

    def clients(seed: int) -> list[Client]:
        return [
            talking(client, _each(f"{trace.name}/{seed}/{number}", style))
            for number, client in enumerate(trace.clients(seed))
        ]

    return Trace(name=trace.name, title=trace.title, clients=clients, models=trace.models)


def long_agent(seed: int) -> list[Client]:
    """One agent that alternates between planning with A and writing with B, for hours."""
    return [loop(Random(f"long/{seed}"), (A, B), count=LONG, think_s=(0.5, 3.0))]


def ten_models(trace: Trace) -> Trace:
    """Return the trace of ten models: a third single requests, the rest turns of four chats with each model."""

    def clients(seed: int) -> list[Client]:
        draw = Random(f"{trace.name}/{seed}")
        chats: dict[str, Conversation] = {}

        def conversation_of(number: int, model: Model) -> Conversation:
            if draw.random() < 1 / 3:
                return Conversation(f"{trace.name}/{seed}/{number}", SINGLE)
            name = f"{trace.name}/{seed}/{model.spec.model_name}/{draw.randrange(4)}"
            return chats.setdefault(name, Conversation(name, CHAT))

        return [
            talking(client, lambda model, number=number: conversation_of(number, model))  # type: ignore[misc]
            for number, client in enumerate(trace.clients(seed))
        ]

    return Trace(name=trace.name, title=trace.title, clients=clients, models=trace.models)


LONG = 600
"""Requests of the agent that goes on for hours."""
DAYS, DAY_S, NIGHT_S = 5, 8 * 3600.0, 16 * 3600.0
WEEK_MODELS = MANY[:3]
PAUSE_S = 480.0
"""Mean time between two sessions."""
RETURNS = 0.5
"""How many sessions continue an earlier conversation; which one, is drawn from the last ones (1 / age)."""
AGENTS = 0.35
"""How many conversations are agents' (8,000 tokens and more); a quarter are single requests, the rest chats."""
SINGLES = 0.25


def week(seed: int) -> list[Client]:
    """Work with three models on five days, a session after the other."""
    return [_sessions(Random(f"week/{seed}"), seed)]


def _sessions(draw: Random, seed: int) -> Client:
    earlier: list[tuple[Conversation, Model]] = []
    for _ in range(DAYS):
        spent_s = 0.0
        while spent_s < DAY_S:
            pause_s = draw.expovariate(1 / PAUSE_S)
            yield Think(pause_s)
            spent_s += pause_s
            if earlier and draw.random() < RETURNS:
                ages = [1 / age for age in range(len(earlier), 0, -1)]
                conversation, model = draw.choices(earlier, ages)[0]
                earlier.remove((conversation, model))
                is_single = False
            else:
                kind = draw.random()
                is_single = kind < SINGLES
                style = SINGLE if is_single else AGENT if kind < SINGLES + AGENTS else CHAT
                conversation = Conversation(f"week/{seed}/{draw.random()}", style)
                model = draw.choices(WEEK_MODELS, (4, 2, 1))[0]
            for _ in range(1 if is_single else draw.randint(2, 8)):
                yield conversation.turn(Ask(model, draw.uniform(*SERVICE_S)))
                think_s = draw.uniform(5.0, 90.0)
                yield Think(think_s)
                spent_s += think_s
            if not is_single:
                earlier.append((conversation, model))
        yield Think(NIGHT_S)


def _each(name: str, style: Style) -> Callable[[Model], Conversation]:
    """Return a function that gives each model its conversation."""
    known: dict[int, Conversation] = {}

    def conversation_of(model: Model) -> Conversation:
        model_id = model.spec.model_id
        return known.setdefault(model_id, Conversation(f"{name}/{model_id}", style))

    return conversation_of


WEEK = Trace(name="week", title="A week of one person's work", clients=week, models=WEEK_MODELS)
LONG_AGENT = with_conversations(
    Trace(name="long-agent", title="One agent for hours: A, B, A, B", clients=long_agent, models=(A, B)),
    AGENT,
)
SHORT = tuple(
    ten_models(trace) if trace.name == "ten-models" else with_conversations(trace, STYLES[trace.name])
    for trace in TRACES
    if trace.name != "unequal-agent"  # as "agent"
)
