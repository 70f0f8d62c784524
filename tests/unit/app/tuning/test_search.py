"""The search, on a simulated machine: its noise, its failures, and what is kept."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.app.tuning.measured import Measured, Turn
from gglib.app.tuning.rows import Outcome
from gglib.app.tuning.search import Found, search
from gglib.app.tuning.trial_log import CURRENT, Progress
from gglib.core.errors import ModelLoadFailedError
from gglib.runtime.engines.llama_cpp.tuning.arguments import option_values
from gglib.runtime.engines.llama_cpp.tuning.steps import MachineFacts, StepKind, tuning_steps
from gglib.runtime.engines.rates import Rates

TURN = Turn(prompt_tokens=500, tokens=50)
FACTS = MachineFacts(cores=4, cpus=8)


@dataclass
class Machine:
    """A machine whose speed depends on the arguments: the factors of all that are set are multiplied."""

    factors: Mapping[str, float] = field(default_factory=dict)
    """By argument: ``--threads 4``."""
    failing: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    noise: Callable[[], float] = lambda: 1.0
    """A factor for each round."""
    drift: Sequence[float] = ()
    """A factor for each launch; 1 after the last one."""
    launched: list[tuple[str, ...]] = field(default_factory=list)

    async def skip_reason(self, arguments: Sequence[str]) -> str | None:
        return self._found(self.skipped, arguments)

    async def measure(self, arguments: Sequence[str], *, is_again: bool) -> Measured:
        self.launched.append(tuple(arguments))
        reason = self._found(self.failing, arguments)
        if reason is not None:
            raise ModelLoadFailedError("m", reason)
        speed = self.drift[len(self.launched) - 1] if len(self.launched) <= len(self.drift) else 1.0
        for words in _words(arguments):
            speed *= self.factors.get(words, 1.0)
        rounds = [speed * self.noise() for _ in range(10 if is_again else 5)]
        rates = tuple(Rates(prompt_per_s=1000 * each, generated_per_s=50 * each) for each in rounds)
        return Measured(rounds=rates, turn=TURN)

    @staticmethod
    def _found(reasons: Mapping[str, str], arguments: Sequence[str]) -> str | None:
        return next((reasons[words] for words in _words(arguments) if words in reasons), None)


def _words(arguments: Sequence[str]) -> list[str]:
    return [f"{name} {text}" if text else name for name, text in option_values(arguments).items()]


async def tuned(
    machine: Machine,
    *start: str,
    only: Sequence[StepKind] = (),
    allows_lossy: bool = False,
    facts: MachineFacts = FACTS,
) -> Found:
    """Search from the arguments ``start``."""
    return await search(machine, tuning_steps(facts, only), start, allows_lossy=allows_lossy)


def outcomes(found: Found) -> dict[str, Outcome]:
    """Return the outcome of each try."""
    return {row.label: row.outcome for row in found.rows}


async def test_the_best_of_each_step_is_the_base_of_the_next() -> None:
    """The arguments of all gains are found together, beside those of the user."""
    machine = Machine({"--threads 3": 1.2, "--threads 2": 1.1, "--ubatch-size 256": 1.3})
    found = await tuned(machine, "--top-k", "5", only=(StepKind.THREADS, StepKind.BATCH))
    assert found.best == ("--top-k", "5", "--threads", "3", "--ubatch-size", "256")
    assert found.is_faster
    assert found.before.turn_s == pytest.approx(1.5)
    assert found.after.turn_s == pytest.approx(1.5 / 1.56)
    assert outcomes(found)["--threads 3"] is Outcome.TAKEN
    assert outcomes(found)["--threads 2"] is Outcome.FASTER
    assert ("--top-k", "5", "--threads", "3", "--ubatch-size", "128") in machine.launched


async def test_where_nothing_is_faster_the_current_settings_stay() -> None:
    """Nothing is measured once more."""
    machine = Machine({"--threads 1": 0.3, "--ubatch-size 128": 0.9})
    found = await tuned(machine)
    assert found.best == found.start == ()
    assert not found.is_faster
    assert found.after == found.before
    assert outcomes(found)["--threads 1"] is Outcome.SLOWER
    assert Outcome.AGAIN not in outcomes(found).values()


async def test_the_current_settings_of_the_user_may_be_the_slow_ones() -> None:
    """The default of the engine is among the candidates."""
    found = await tuned(Machine({"--threads 1": 0.3}), "-t", "1", only=[StepKind.THREADS])
    assert found.best == ()
    assert outcomes(found)["without --threads"] in {Outcome.TAKEN, Outcome.FASTER}


async def test_arguments_are_launched_once() -> None:
    """Two steps may lead to the same ones."""
    machine = Machine()
    await search(machine, 2 * tuning_steps(FACTS, [StepKind.THREADS]), ())
    assert len(set(machine.launched)) == len(machine.launched) > 1


async def test_a_kind_with_nothing_to_try_has_one_note() -> None:
    """The step for the threads of prompts says nothing of its own."""
    found = await tuned(Machine(), facts=MachineFacts(cores=1, cpus=1), only=[StepKind.THREADS])
    assert [note for note in found.notes if "Nothing to try" in note] == [
        "Nothing to try for 'threads': this machine has one core."
    ]


async def test_a_failed_load_is_a_row() -> None:
    """With its reason; the search goes on."""
    machine = Machine({"--flash-attn off": 1.5}, failing={"--flash-attn on": "not supported"})
    found = await tuned(machine, only=[StepKind.FLASH])
    (row,) = [row for row in found.rows if row.outcome is Outcome.FAILED]
    assert (row.label, row.note, row.measured) == ("--flash-attn on", "not supported", None)
    assert found.best == ("--flash-attn", "off")


async def test_a_skipped_candidate_is_not_launched() -> None:
    """Its row says why."""
    machine = Machine(skipped={"--flash-attn on": "the engine does not take it"})
    found = await tuned(machine, only=[StepKind.FLASH])
    assert outcomes(found)["--flash-attn on"] is Outcome.SKIPPED
    assert ("--flash-attn", "on") not in machine.launched


async def test_settings_that_cannot_be_loaded_end_the_search() -> None:
    """There is nothing to compare with."""
    machine = Machine(failing={"--threads 7": "no memory"})
    with pytest.raises(ModelLoadFailedError, match="no memory"):
        await tuned(machine, "--threads", "7")
    assert len(machine.launched) == 1


@pytest.mark.parametrize("is_allowed", [False, True])
async def test_quantized_caches_are_measured_but_kept_only_if_allowed(*, is_allowed: bool) -> None:
    """They change answers."""
    found = await tuned(Machine({"--cache-type-k q8_0": 2.0}), only=[StepKind.KV], allows_lossy=is_allowed)
    assert found.is_faster is is_allowed
    label = "--cache-type-k q8_0"
    assert outcomes(found)[label] is (Outcome.TAKEN if is_allowed else Outcome.FASTER)
    notes = {row.note for row in found.rows if row.step is StepKind.KV}
    allowed = "changes answers slightly"
    assert notes == ({allowed} if is_allowed else {f"{allowed}: kept only with --allow-kv-quantization"})


async def test_a_slow_moment_of_the_machine_is_no_gain() -> None:
    """Here it was slow while the current settings were measured first."""
    found = await tuned(Machine(drift=[0.5]), only=[StepKind.FLASH])
    assert not found.is_faster
    assert [row.label for row in found.rows] == [
        CURRENT,
        "--flash-attn on",
        "--flash-attn off",
        "once more: without a change",
        "once more: --flash-attn on",
        "once more: --flash-attn off",
    ]
    assert outcomes(found)["--flash-attn on"] is outcomes(found)["--flash-attn off"] is Outcome.UNCLEAR


async def test_changes_that_gain_nothing_together_are_dropped() -> None:
    """Here the machine has become slow before the end."""
    factors, only = {"--threads 2": 1.2, "--flash-attn on": 1.2}, (StepKind.THREADS, StepKind.FLASH)
    steady = Machine(factors)
    assert (await tuned(steady, only=only)).is_faster
    machine = Machine(factors, drift=[1.0] * (len(steady.launched) - 1) + [0.5])
    found = await tuned(machine, only=only)
    assert not found.is_faster
    assert found.notes == ("Measured once more, all changes together gain no more than the noise.",)
    assert [row.label for row in found.rows][-2:] == [
        "once more: current settings",
        "once more: all that is faster",
    ]


async def test_a_candidate_that_is_not_faster_once_more_is_not_taken() -> None:
    """The next fastest may be."""
    found = await tuned(Machine({"--flash-attn off": 1.2}, drift=[1.0, 2.0]), only=[StepKind.FLASH])
    assert outcomes(found)["--flash-attn on"] is Outcome.UNCLEAR
    assert found.best == ("--flash-attn", "off")


@pytest.mark.parametrize("failing", [6, 7])
async def test_loads_that_fail_once_more_leave_the_current_settings(failing: int) -> None:
    """The memory may have been taken meanwhile: of the base, or of the candidate."""

    class Filling(Machine):
        async def measure(self, arguments: Sequence[str], *, is_again: bool) -> Measured:
            measured = await super().measure(arguments, is_again=is_again)
            if len(self.launched) >= failing:
                raise ModelLoadFailedError("m", "no memory")
            return measured

    found = await tuned(Filling({"--flash-attn on": 2.0}), only=(StepKind.BATCH, StepKind.FLASH))
    assert not found.is_faster
    assert [row.note for row in found.rows if row.outcome is Outcome.FAILED][-1] == "no memory"


async def test_a_load_that_fails_at_the_end_is_noted() -> None:
    """The gains of the steps are not kept without the last comparison."""

    class Filling(Machine):
        async def measure(self, arguments: Sequence[str], *, is_again: bool) -> Measured:
            measured = await super().measure(arguments, is_again=is_again)
            if self.launched.count(()) == 3:
                raise ModelLoadFailedError("m", "no memory")
            return measured

    machine = Filling({"--threads 2": 1.2, "--flash-attn on": 1.2})
    found = await tuned(machine, only=(StepKind.THREADS, StepKind.FLASH))
    assert not found.is_faster
    assert found.notes == ("The gain was not confirmed: no memory.",)


async def test_nothing_is_measured_twice() -> None:
    """Except for what is taken and its base, and for the comparison at the end."""
    machine = Machine({"--cache-type-k q8_0": 1.1, "--flash-attn on": 1.1, "--threads 8": 1.2})
    found = await tuned(machine, allows_lossy=True)
    taken = [row for row in found.rows if row.outcome is Outcome.TAKEN]
    assert len(taken) == 3
    assert len(machine.launched) == len(set(machine.launched)) + 2 * len(taken) + 2
    assert machine.launched[-2:] == [found.start, found.best]


async def test_steps_without_candidates_are_noted() -> None:
    """With the reason."""
    found = await tuned(Machine(), only=(StepKind.GPU, StepKind.DRAFT))
    assert found.notes == (
        "Nothing to try for 'gpu': the engine uses no GPU.",
        "Nothing to try for 'draft': the model has no draft options.",
    )
    assert [row.label for row in found.rows] == [CURRENT]


async def test_progress_counts_the_launches() -> None:
    """Up to the last one, whose number is the expected one."""
    seen: list[Progress] = []
    machine = Machine({"--threads 2": 1.5}, skipped={"--flash-attn off": "x"})
    await search(machine, tuning_steps(FACTS), (), on_progress=seen.append)
    assert [progress.number for progress in seen] == list(range(1, len(machine.launched) + 1))
    assert seen[-1].number == seen[-1].expected
    assert all(progress.number <= progress.expected for progress in seen)
    assert seen[0].label == CURRENT


def dice(seed: int, spread: float) -> Callable[[], float]:
    """Return the noise of a machine: a factor that scatters evenly around 1."""
    numbers = random.Random(seed)  # noqa: S311 - a simulation
    return lambda: 1 + numbers.uniform(-spread, spread)


@given(seed=st.integers(0, 10_000), spread=st.floats(0, 0.5))
async def test_what_is_kept_is_faster_than_each_round_before(seed: int, spread: float) -> None:
    """Whatever the noise: all arguments are equally fast here."""
    found = await tuned(Machine(noise=dice(seed, spread)))
    if found.is_faster:
        assert found.after.slowest_s < found.before.fastest_s


async def test_noise_does_not_look_like_a_gain() -> None:
    """On none of 150 machines whose rounds scatter by 10 %, all arguments equally fast."""
    for seed in range(150):
        found = await tuned(Machine(noise=dice(seed, 0.1)))
        assert not found.is_faster, seed


async def test_a_clear_gain_is_found_in_noise_and_nothing_else() -> None:
    """Of 30 % where the rounds scatter by 5 %: on all of 150 machines."""
    for seed in range(150):
        machine = Machine({"--ubatch-size 256": 1.3}, noise=dice(seed, 0.05))
        assert (await tuned(machine)).best == ("--ubatch-size", "256"), seed
