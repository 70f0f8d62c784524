"""The machine of ``bench.policies`` with prompts in slots, and files of what is kept, in virtual time.

A prompt takes its tokens that are not in its slot, at the machine's rate; several at once do not slow each other down.
A conversation returns to its slot if that is idle, else it takes an empty one, else the one unused for longest, as
gglib chooses them. A beginning that two conversations share is not used.

Where a rule has memory for two models, saves that would delay the waiting load by too much go on beside it, as
``runtime.local.kept_prompts`` does it: the engine makes way (``MadeWay``), and exits after its saves. A load is assumed
to take as long beside saves as without; ``bench.kept_prompts`` measures that.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from bench.kept.conversations import Turn
from bench.kept.keepers import Keeper, Waiting
from bench.policies.simulator import SLOTS, Ask, Client, Engine, Model, Policy, Simulation, SimulationError

from gglib.runtime.engines.kept_prompts.policy import (
    KeptFile,
    SavedPrompt,
    SavePlan,
    SlotPrompt,
    SlotRates,
    WriteAllowance,
)
from gglib.runtime.scheduler.events import MadeWay
from gglib.runtime.scheduler.saving import SHARE


@dataclass(slots=True)
class Slot:
    """What a slot of an engine has."""

    number: int
    conversation: str = ""
    tokens: int = 0
    used_at: float = 0.0
    is_busy: bool = False


@dataclass(slots=True)
class File:
    """A saved prompt."""

    name: str
    model_id: int
    conversation: str
    tokens: int
    used_at: float
    is_found: bool = False
    """Whether a request found it restored."""


@dataclass(slots=True)
class Saving:
    """The saves of an engine that stops."""

    engine: Engine
    slots: deque[Slot]
    """Those that are not written yet."""
    older: list[File]
    """The files of before: one that is complete replaces the shorter one of its conversation."""
    yields: bool
    """Whether a request for another model ends it: nothing has waited for it so far, or it goes on beside a load."""
    written_bytes: int = 0
    is_over: bool = False


@dataclass(slots=True)
class Totals:
    """What a run cost. Seconds and bytes."""

    prompt_s: float = 0.0
    least_prompt_s: float = 0.0
    """If each conversation had always found its last prompt."""
    first_token_s: list[float] = field(default_factory=list)
    """Of each request: from its arrival to the end of its prompt."""
    written_bytes: int = 0
    files: int = 0
    unread_files: int = 0
    """Files that no request found before they were deleted or replaced, or before the end."""
    added_wait_s: float = 0.0
    """Saves and restores, for each request that waited for them."""
    slower: list[float] = field(default_factory=list)
    """Of each swap that a request waited for: the time of its saves, over that of the stop and the load."""


class KeptSimulation(Simulation):
    """One run."""

    def __init__(
        self,
        policy: Policy,
        clients: Iterable[Client],
        *,
        keeper: Keeper,
        rates: SlotRates,
        swap_factor: float = 1.0,
    ) -> None:
        super().__init__(policy, clients, swap_factor=swap_factor)
        self.totals = Totals()
        self._keeper = keeper
        self._rates = rates
        self._slots: dict[int, list[Slot]] = {}
        self._slot_of: dict[int, Slot] = {}
        self._files: dict[str, File] = {}
        self._lengths: dict[str, int] = {}
        self._savings: list[Saving] = []
        limit = keeper.write_bytes_h
        self._allowance = None if limit is None else WriteAllowance(limit)

    @property
    def seconds(self) -> float:
        """How long the run lasted: to the end of its last request."""
        return max(record.ended_at or 0.0 for record in self._records.values())

    def finish(self) -> None:
        """Count the files at the end that nothing has found."""
        for file in self._files.values():
            self._count_unread(file)

    # --- times ---

    def load_s(self, engine: Engine) -> float:
        """Return the time of the load and of the restores after it."""
        self._slots[engine.generation] = slots = [Slot(number) for number in range(SLOTS)]
        own = [file for file in self._files.values() if file.model_id == engine.model.spec.model_id]
        saved = [
            SavedPrompt(name=file.name, tokens=file.tokens, idle_s=self._now - file.used_at) for file in own
        ]
        restore_s = 0.0
        for slot, name in zip(slots, self._keeper.restores(saved, self._rates, slots=SLOTS), strict=False):
            file = self._files[name]
            slot.conversation, slot.tokens, slot.used_at = file.conversation, file.tokens, file.used_at
            restore_s += self._rates.restore_s(file.tokens)
        waiting = sum(model_id == engine.model.spec.model_id for model_id in self._waiting())
        self.totals.added_wait_s += restore_s * waiting
        return super().load_s(engine) + restore_s

    def service_s(self, ticket: int, engine: Engine) -> float:
        """Return the time of the prompt and of the response."""
        record = self._records[ticket]
        turn = record.ask
        if not isinstance(turn, Turn):
            self.totals.first_token_s.append(self._now - record.asked_at)
            return super().service_s(ticket, engine)
        slot = self._choose(self._slots[engine.generation], turn.conversation)
        is_own = slot.conversation == turn.conversation
        found = min(slot.tokens, turn.prompt_tokens) if is_own else 0
        prompt_s = (turn.prompt_tokens - found) / self._rates.prompt_tokens_s
        last = min(self._lengths.get(turn.conversation, 0), turn.prompt_tokens)
        self.totals.prompt_s += prompt_s
        self.totals.least_prompt_s += (turn.prompt_tokens - last) / self._rates.prompt_tokens_s
        self.totals.first_token_s.append(self._now - record.asked_at + prompt_s)
        slot.conversation, slot.tokens, slot.is_busy = turn.conversation, turn.prompt_tokens, True
        self._slot_of[ticket] = slot
        for file in self._files.values():
            if file.conversation == turn.conversation:
                file.used_at = self._now
                file.is_found |= found > 0
        return prompt_s + super().service_s(ticket, engine)

    def _finish(self, ticket: int, engine: Engine) -> None:
        slot, turn = self._slot_of.pop(ticket, None), self._records[ticket].ask
        if slot is not None and isinstance(turn, Turn):
            slot.tokens += turn.answer_tokens
            slot.is_busy, slot.used_at = False, self._now
            self._lengths[turn.conversation] = slot.tokens
        super()._finish(ticket, engine)

    # --- what is kept ---

    def _begin_stop(self, engine: Engine) -> None:
        """Begin the saves before the stop, or those beside the load that waits for it."""
        slots = self._slots.pop(engine.generation)
        changed = [slot for slot in slots if slot.tokens and not self._is_saved(slot)]
        waiting = self._expected()
        beside = self._plan(changed, replace(waiting, requests=0))
        if self._may_make_way(engine) and self._seconds(slots, beside) > SHARE * waiting.load_s:
            self._make_way(engine)
            self.totals.slower.append(0.0)
            self._begin_saves(engine, slots, beside, yields=not self._keeper.is_lifted)
            return
        plan = self._plan(changed, waiting)
        save_s = self._seconds(slots, plan)
        self.totals.added_wait_s += save_s * waiting.requests
        if waiting.requests:
            self.totals.slower.append(save_s / (self.stop_s(engine) + waiting.load_s))
        self._begin_saves(engine, slots, plan, yields=not (waiting.requests or self._keeper.is_lifted))

    def _may_make_way(self, engine: Engine) -> bool:
        """Whether another model waits for the stop, and there is memory for it beside all that run."""
        if not self._keeper.has_memory_for_two or len(self._engines) > 1:
            return False
        return any(model_id != engine.model.spec.model_id for model_id in self._waiting())

    def _make_way(self, engine: Engine) -> None:
        engine.has_made_way = True
        self._tell(MadeWay(engine.generation))

    def _launch(self, generation: int, model: Model) -> None:
        if len(self._engines) > 1:
            raise SimulationError(f"no memory for {model.spec.model_name} at {self._now}")
        super()._launch(generation, model)

    def _plan(self, changed: list[Slot], waiting: Waiting) -> SavePlan:
        """Return the plan of a stop."""
        prompts = [
            SlotPrompt(slot=slot.number, tokens=slot.tokens, idle_s=self._now - slot.used_at)
            for slot in changed
        ]
        replaced = {slot.conversation for slot in changed}
        kept = [self._as_kept(file) for file in self._files.values() if file.conversation not in replaced]
        return self._keeper.saves(prompts, self._rates, kept, waiting)

    def _seconds(self, slots: list[Slot], plan: SavePlan) -> float:
        return sum(self._rates.save_s(slots[number].tokens) for number in plan.save)

    def _begin_saves(self, engine: Engine, slots: list[Slot], plan: SavePlan, *, yields: bool) -> None:
        for name in plan.delete:
            self._drop(name)
        planned = deque(slots[number] for number in plan.save)
        saving = Saving(engine, planned, older=list(self._files.values()), yields=yields)
        self._savings.append(saving)
        self._save_next(saving)

    def _save_next(self, saving: Saving) -> None:
        if not saving.slots:
            self._end_saves(saving)
            return
        self._after(self._rates.save_s(saving.slots[0].tokens), lambda: self._finish_save(saving))

    def _finish_save(self, saving: Saving) -> None:
        """Note a file that is complete."""
        if saving.is_over:
            return
        slot = saving.slots.popleft()
        for file in saving.older:
            if file.conversation == slot.conversation and file.name in self._files:
                self._drop(file.name)
        self.totals.files += 1
        name, model_id = str(self.totals.files), saving.engine.model.spec.model_id
        self._files[name] = File(name, model_id, slot.conversation, slot.tokens, slot.used_at)
        size_bytes = self._size(slot.tokens)
        saving.written_bytes += size_bytes
        self.totals.written_bytes += size_bytes
        self._save_next(saving)

    def _end_saves(self, saving: Saving) -> None:
        """Stop the engine. A file that is not complete is not kept."""
        saving.is_over = True
        self._savings.remove(saving)
        if self._allowance is not None:
            self._allowance.take(saving.written_bytes, self._now)
        engine = saving.engine
        self._after(self.stop_s(engine), lambda: self._exit(engine.generation))

    def _ask(self, ask: Ask, client: Client) -> None:
        """Send a request. If no model that is ready or loads serves it, it ends the saves that yield."""
        super()._ask(ask, client)
        if next(reversed(self._records.values())).outcome is not None:
            return
        if any(engine.model is ask.model and not engine.is_stopping for engine in self._engines.values()):
            return
        for saving in [one for one in self._savings if one.yields and one.engine.model is not ask.model]:
            self._end_saves(saving)

    def _is_saved(self, slot: Slot) -> bool:
        return any(
            file.conversation == slot.conversation and file.tokens == slot.tokens
            for file in self._files.values()
        )

    def _as_kept(self, file: File) -> KeptFile:
        return KeptFile(
            name=file.name,
            size_bytes=self._size(file.tokens),
            gain_s=self._rates.gain_s(file.tokens),
            idle_s=self._now - file.used_at,
        )

    def _drop(self, name: str) -> None:
        self._count_unread(self._files.pop(name))

    def _count_unread(self, file: File) -> None:
        if not file.is_found:
            self.totals.unread_files += 1

    def _size(self, tokens: int) -> int:
        return round(tokens * self._rates.bytes_token)

    # --- who waits ---

    def _waiting(self) -> list[int]:
        """Return the model of each request that waits for one, in the order of arrival."""
        return [
            record.ask.model.spec.model_id
            for record in self._records.values()
            if record.granted_at is None and record.outcome is None
        ]

    def _expected(self) -> Waiting:
        """Return what waits when an engine stops, and what may be written."""
        waiting = self._waiting()
        return Waiting(
            requests=len(waiting),
            load_s=self._models[waiting[0]].load_s * self._swap_factor if waiting else 0.0,
            planned_bytes=sum(self._size(slot.tokens) for saving in self._savings for slot in saving.slots),
            write_bytes=math.inf if self._allowance is None else self._allowance.left(self._now),
        )

    @staticmethod
    def _choose(slots: list[Slot], conversation: str) -> Slot:
        idle = [slot for slot in slots if not slot.is_busy]
        return next(
            (slot for slot in idle if slot.conversation == conversation),
            min(idle, key=lambda slot: (slot.tokens > 0, slot.used_at)),
        )


def run(
    policy: Callable[[], Policy],
    clients: list[Client],
    *,
    keeper: Keeper,
    rates: SlotRates,
    swap_factor: float,
) -> KeptSimulation:
    """Return a finished run."""
    simulation = KeptSimulation(policy(), clients, keeper=keeper, rates=rates, swap_factor=swap_factor)
    simulation.run()
    simulation.finish()
    return simulation
