"""A busy model does not starve another one, and no response is cut short for a swap."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.e2e.conftest import Gglib, watched
from tests.e2e.tiny_ask import TinyAsk
from tests.integration.chaos.caller import Caller
from tests.integration.chaos.verdict import Heard, Kind, judge

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc"),
]

SWAP_WAIT_S = 2.0
STREAM_TOKENS = (250, 350, 450)
"""Tokens of each client's streams, about half a second each."""
BYTES_PER_TOKEN = 230
NEARLY_OVER_SHARE = 0.3
"""Share of a stream after which the client sends its next request, so that a delayed test process leaves no gap."""
LATE_S = 0.5
"""A request for A that is sent this long after the swap is due is served after B, however busy the machine is."""
NOISE_S = 5.0
HELD_UP_S = 0.15
"""Longest delay of a request on its way to gglib on a busy machine: longer overlaps are certain to be real."""
OTHER_TRIES = 4
BOUND_S = 30.0
NO_ERROR = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with a complete response. Times are of the system's monotonic clock."""

    asked_at_s: float
    began_at_s: float
    ended_at_s: float


@dataclass(frozen=True, slots=True)
class Scene:
    """The outcome of one request for B while three clients stream from A."""

    cold: Answered
    b: Answered
    of_each: list[list[Answered]]
    """The responses of each client of A."""
    engines: list[list[int]]

    @property
    def of_a(self) -> list[Answered]:
        """All responses of A."""
        return [answer for answers in self.of_each for answer in answers]

    @property
    def had_a_gap(self) -> bool:
        """Whether gglib may have seen a moment without a request for A before B was due: A was free then."""
        free_from_s = self.b.asked_at_s + HELD_UP_S
        for answer in sorted(self.of_a, key=lambda answer: answer.asked_at_s):
            if answer.asked_at_s + HELD_UP_S > free_from_s:
                break
            free_from_s = max(free_from_s, answer.ended_at_s)
        return free_from_s < self.b.asked_at_s + SWAP_WAIT_S


async def play(home: Gglib) -> Scene:
    """Let three clients stream from A and send one request to B."""
    async with watched(home) as engines:
        cold = await ask_once(home, TinyAsk(model="tiny-a", tokens=2))
        clients = [Client(home, tokens) for tokens in STREAM_TOKENS]
        streaming = [asyncio.create_task(client.stream_on()) for client in clients]
        await asyncio.gather(*(client.is_at_it.wait() for client in clients))
        b = await ask_once(home, TinyAsk(model="Tiny-B", tokens=20))
        for client in clients:
            client.may_stop.set()
        await asyncio.gather(*streaming)
    return Scene(cold, b, [client.answers for client in clients], engines)


async def test_a_busy_model_lets_another_one_have_its_turn(home: Gglib) -> None:
    """B, requested while three clients stream from A without a gap, is served once it is due; then A continues."""
    # Nothing is kept: a model that saves its conversations may exit beside the next load.
    (home.home / "config.toml").write_text(f'swap_wait_s = {SWAP_WAIT_S}\nkv_keep = "0"\n')
    home.serve()
    scene, launches = await play(home), (2, 1)
    for _ in range(OTHER_TRIES):  # a delayed test process may leave A without requests
        if not scene.had_a_gap:
            break
        before = home.launches("tiny-a"), home.launches("Tiny-B")
        scene, launches = await play(home), (before[0] + 1, before[1] + 1)
    assert not scene.had_a_gap, "this machine is too busy to keep A busy"

    b, due_s = scene.b, scene.b.asked_at_s + SWAP_WAIT_S
    passed = [a for a in scene.of_a if b.asked_at_s < a.asked_at_s and a.ended_at_s < b.began_at_s]
    assert passed, "A's clients were made to wait long before B was due"
    assert b.began_at_s >= due_s, "B was let in although A was in use"
    assert [a for a in scene.of_a if a.asked_at_s > due_s + LATE_S and a.began_at_s < b.ended_at_s] == []
    a_was_free_s = max(a.ended_at_s for a in scene.of_a if a.began_at_s < b.began_at_s)
    load_s = scene.cold.ended_at_s - scene.cold.asked_at_s
    assert b.ended_at_s < max(due_s, a_was_free_s) + load_s + NOISE_S
    assert all(max(a.asked_at_s for a in answers) > b.ended_at_s for answers in scene.of_each)
    assert all(len(pids) == 1 for pids in scene.engines)
    assert (home.launches("tiny-a"), home.launches("Tiny-B")) == launches


class Client:
    """Streams from A repeatedly, and requests the next stream before the last one ends."""

    def __init__(self, gglib: Gglib, tokens: int) -> None:
        self._gglib = gglib
        self._ask = TinyAsk(model="tiny-a", tokens=tokens)
        self.answers: list[Answered] = []
        self.is_at_it = asyncio.Event()
        """Set when one stream has ended and the next one is requested."""
        self.may_stop = asyncio.Event()
        """Set to stop after one more stream."""

    async def stream_on(self) -> None:
        """Stream until ``may_stop`` is set."""
        async with asyncio.TaskGroup() as streams:
            is_last = False
            while not is_last:
                is_last = self.may_stop.is_set()
                is_nearly_over = asyncio.Event()
                streams.create_task(self._stream(is_nearly_over))
                await is_nearly_over.wait()

    async def _stream(self, is_nearly_over: asyncio.Event) -> None:
        def on_piece(heard: Heard) -> None:
            if len(heard.body) >= NEARLY_OVER_SHARE * BYTES_PER_TOKEN * self._ask.tokens:
                is_nearly_over.set()

        self.answers.append(await ask_once(self._gglib, self._ask, on_piece))
        is_nearly_over.set()
        self.is_at_it.set()


async def ask_once(gglib: Gglib, ask: TinyAsk, on_part: Callable[[Heard], None] = lambda _: None) -> Answered:
    """Send one request over a new connection."""
    async with Caller(gglib.port) as caller:
        return answered(ask, await caller.ask(ask, within_s=BOUND_S, on_part=on_part))


def answered(ask: TinyAsk, heard: Heard) -> Answered:
    """Check that the response is complete, and return when it was received."""
    verdict = judge(ask, heard, NO_ERROR)
    assert verdict.kind is Kind.ANSWERED, verdict.complaint
    assert heard.began_at_s is not None
    return Answered(heard.asked_at_s, heard.began_at_s, heard.ended_at_s)
