"""One simulated node: models in memory, slots, queues and loads, in virtual time.

An approximation of gglib's scheduler: models are loaded in the order of their oldest waiting requests; the least
recently used idle model is evicted; after ``SWAP_S`` a model in use takes no new requests.
"""

import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from gglib.core.models import ModelSummary
from gglib.core.nodes import ModelContent, NodeModel

GIB = 1024**3
SLOTS = 4
STOP_S = 0.3
SWAP_S = 15.0
BATCHING_SHARE = 0.1
"""Each other request in the slots makes a response take this much longer."""
CACHED_CONVERSATIONS = 8
"""An engine keeps the prompts of so many conversations."""


class Clock:
    """The agenda of a run. Times in seconds since its start."""

    def __init__(self) -> None:
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Call ``happen`` later."""
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), happen))

    def run(self, *, is_over: Callable[[], bool]) -> None:
        """Run events until none is left, or ``is_over`` says so."""
        while self._agenda and not is_over():
            self.now, _, happen = heapq.heappop(self._agenda)
            happen()


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its costs on a node of speed 1."""

    name: str
    gib: int
    load_s: float


@dataclass(eq=False, slots=True)
class Job:
    """A request at a node."""

    model: Model
    tokens: int
    token_s: float
    prompt_s: float
    """Duration of its whole prompt, at speed 1."""
    new_prompt_s: float
    """Duration of the part that no earlier request of its conversation had."""
    conversation: str
    on_first: Callable[[float], None]
    """Called when the first token is there, with the prompt seconds that the cache would have saved."""
    on_end: Callable[[bool], None]
    """Called when it has ended: whether it was answered."""
    at: float = 0.0
    """When it arrived at the node."""
    began_at: float = 0.0
    """When a slot began to compute it."""
    is_running: bool = False
    is_ended: bool = False


@dataclass(eq=False, slots=True)
class Engine:
    """A model in memory."""

    model: Model
    state: str
    used_at: float
    began_at: float
    running: int = 0
    queue: deque[Job] = field(default_factory=deque)
    cache: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """Seconds of the cached prompt, by conversation; the oldest first."""

    @property
    def is_idle(self) -> bool:
        """Whether no request uses it."""
        return self.state == "ready" and not self.running and not self.queue


class Machine:
    """A node."""

    def __init__(self, clock: Clock, name: str, *, gib: int, speed: float, models: tuple[Model, ...]) -> None:
        self.name, self.gib, self.speed, self.models = name, gib, speed, models
        self.listed = tuple(_listed(model) for model in models)
        self.listed_by_name = {model.name: model for model in self.listed}
        self.is_alive = True
        self.engines: dict[str, Engine] = {}
        self.waiting: list[Job] = []
        self.loads: dict[str, tuple[int, float]] = {}
        """Number and total duration of the loads, by model."""
        self._clock = clock
        self._jobs: dict[Job, None] = {}

    def free_gib(self) -> int:
        """Return the memory that is free."""
        return self.gib - sum(engine.model.gib for engine in self.engines.values())

    def submit(self, job: Job) -> None:
        """Take a request. One to a dead node hangs until the front notices."""
        job.at = self._clock.now
        self._jobs[job] = None
        if not self.is_alive:
            return
        engine = self.engines.get(job.model.name)
        if engine is not None and engine.state == "ready":
            engine.queue.append(job)
            self._fill(engine)
        else:
            self.waiting.append(job)
            self._schedule()
            self._clock.after(SWAP_S + 0.001, self._schedule)

    def withdraw(self, job: Job) -> None:
        """Forget a request that has not begun."""
        job.is_ended = True
        self._jobs.pop(job, None)
        if job in self.waiting:
            self.waiting.remove(job)
        for engine in self.engines.values():
            if job in engine.queue:
                engine.queue.remove(job)
        self._schedule()

    def die(self) -> None:
        """Stop answering: requests that run break off, the others hang."""
        self.is_alive = False
        for job in list(self._jobs):
            if job.is_running:
                self._end(job, is_answered=False)
        self.engines.clear()
        self.waiting.clear()

    def _end(self, job: Job, *, is_answered: bool) -> None:
        job.is_ended = True
        self._jobs.pop(job, None)
        job.on_end(is_answered)

    # --- requests ---

    def _fill(self, engine: Engine) -> None:
        while engine.queue and engine.running < SLOTS and engine.state in ("ready", "draining"):
            self._begin(engine, engine.queue.popleft())

    def _begin(self, engine: Engine, job: Job) -> None:
        engine.running += 1
        engine.used_at = self._clock.now
        job.is_running, job.began_at = True, self._clock.now
        cached_s = engine.cache.get(job.conversation, 0.0)
        engine.cache[job.conversation] = job.prompt_s
        engine.cache.move_to_end(job.conversation)
        if len(engine.cache) > CACHED_CONVERSATIONS:
            engine.cache.popitem(last=False)
        slowness = (1 + BATCHING_SHARE * (engine.running - 1)) / self.speed
        prompt_s = (job.prompt_s - cached_s) * slowness
        lost_s = (job.prompt_s - job.new_prompt_s - cached_s) * slowness
        self._clock.after(prompt_s, lambda: None if job.is_ended else job.on_first(lost_s))
        total_s = prompt_s + job.tokens * job.token_s * slowness
        self._clock.after(total_s, lambda: self._finish(engine, job))

    def _finish(self, engine: Engine, job: Job) -> None:
        if job.is_ended:
            return
        engine.running -= 1
        engine.used_at = self._clock.now
        self._fill(engine)
        self._end(job, is_answered=True)
        self._schedule()

    # --- loads ---

    def _schedule(self) -> None:
        """Start the loads that requests wait for, the oldest first."""
        if not self.is_alive:
            return
        for engine in [e for e in self.engines.values() if e.state == "draining"]:
            if not engine.running and not engine.queue:
                self._stop(engine)
        for job in sorted(self.waiting, key=lambda job: job.at):
            if job.model.name not in self.engines and not self._make_room(job):
                return

    def _make_room(self, job: Job) -> bool:
        """Start the load of a request's model; False if it has to wait."""
        missing = job.model.gib - self.free_gib()
        missing -= sum(e.model.gib for e in self.engines.values() if e.state == "stopping")
        idle = sorted((e for e in self.engines.values() if e.is_idle), key=lambda e: e.used_at)
        if sum(e.model.gib for e in idle) < missing:
            if self._clock.now - job.at >= SWAP_S:
                self._drain(missing)
            return False
        while missing > 0:
            victim = idle.pop(0)
            self._stop(victim)
            missing -= victim.model.gib
        if self.free_gib() < job.model.gib:
            return False
        self._load(job.model)
        return True

    def _drain(self, missing: int) -> None:
        missing -= sum(e.model.gib for e in self.engines.values() if e.state == "draining" or e.is_idle)
        for engine in sorted(self.engines.values(), key=lambda e: e.used_at):
            if missing > 0 and engine.state == "ready" and not engine.is_idle:
                engine.state = "draining"
                missing -= engine.model.gib

    def _stop(self, engine: Engine) -> None:
        engine.state = "stopping"
        self._clock.after(STOP_S, lambda: self._exited(engine))

    def _exited(self, engine: Engine) -> None:
        if self.engines.get(engine.model.name) is engine:
            del self.engines[engine.model.name]
            self._schedule()

    def _load(self, model: Model) -> None:
        now = self._clock.now
        engine = Engine(model, "loading", used_at=now, began_at=now)
        self.engines[model.name] = engine
        self._clock.after(model.load_s, lambda: self._ready(engine))

    def _ready(self, engine: Engine) -> None:
        if self.engines.get(engine.model.name) is not engine:
            return
        name = engine.model.name
        count, total_s = self.loads.get(name, (0, 0.0))
        self.loads[name] = (count + 1, total_s + engine.model.load_s)
        engine.state, engine.used_at = "ready", self._clock.now
        for job in [job for job in self.waiting if job.model.name == name]:
            self.waiting.remove(job)
            engine.queue.append(job)
        self._fill(engine)
        self._schedule()


@cache
def _listed(model: Model) -> NodeModel:
    """Return a simulated model as nodes list it."""
    return NodeModel(
        summary=ModelSummary(id=1, name=model.name),
        content=ModelContent(sha256=model.name, size_bytes=model.gib * GIB),
        need={"gpu0": model.gib * GIB},
    )
