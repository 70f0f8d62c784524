"""The simulation of kept prompts gives the figures computed by hand, and its rules behave as described."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from bench.kept.conversations import AGENT, CONTEXT_TOKENS, SHORT, WEEK, Conversation, Turn
from bench.kept.figures import figures_of, measure
from bench.kept.keepers import GB, Always, ByCost, Keeper, Never, Waiting
from bench.kept.machines import FAST_GPU, LAPTOP, MACHINES
from bench.kept.report import COLOURS, DEFAULT, NEVER, NO_LIMIT, machine_table, page, plot
from bench.kept.simulation import KeptSimulation, run
from bench.policies.keep_warm import NoKeepWarm
from bench.policies.simulator import Ask, Client, Model, Think
from bench.policies.traces import LOAD_S, STOP_S, A, B, a_model, later

from gglib.runtime.engines.kept_prompts.policy import KeptFile, SlotPrompt, SlotRates
from gglib.runtime.scheduler.scheduler import Scheduler

RATES = SlotRates(prompt_tokens_s=100.0, bytes_token=100_000.0, save_bytes_s=1e9, restore_bytes_s=2e9)
SAVE_S, RESTORE_S = 0.005 + 0.11, 0.005 + 0.055
"""Of 1,100 tokens."""
C = a_model(5, "c")
BESIDE = ByCost(8 * GB, has_memory_for_two=True)


def turn(model: Model, prompt_tokens: int, conversation: str = "one") -> Turn:
    """Return a request that generates 100 tokens in 2 s."""
    return Turn(model, 2.0, conversation=conversation, prompt_tokens=prompt_tokens, answer_tokens=100)


def there_and_back() -> Client:
    """Ask A with 1,000 tokens, B, and A with the next turn, a second after each response."""
    yield turn(A, 1000)
    yield Think(1.0)
    yield Ask(B, 1.0)
    yield Think(1.0)
    yield turn(A, 1300)


def agent() -> Client:
    """Ask A with 3,000 tokens until 36.0, B, and A with the next turn. The save of 3,100 tokens takes 0.315 s."""
    yield turn(A, 3000)
    yield Ask(B, 1.0)
    yield turn(A, 3200)


def ran(keeper: Keeper, *clients: Client) -> KeptSimulation:
    """Return a run on a machine with one resident model that is stopped at once for another one."""
    return run(
        lambda: Scheduler(keep_warm=NoKeepWarm()),
        list(clients),
        keeper=keeper,
        rates=RATES,
        swap_factor=1.0,
    )


def test_without_files_the_next_turn_is_read_whole() -> None:
    """1,000 and 1,300 tokens at 100 a second; with its slot the second prompt would have 200 new ones."""
    simulation = ran(Never(), there_and_back())

    assert simulation.totals.prompt_s == pytest.approx(23.0)
    assert simulation.totals.least_prompt_s == pytest.approx(12.0)
    assert simulation.totals.files == 0
    assert simulation.seconds == pytest.approx(3 * LOAD_S + 2 * STOP_S + 23.0 + 2 * 2.0 + 1.0 + 2 * 1.0)


def test_a_saved_prompt_is_found_after_the_swaps_back() -> None:
    """It costs a save of 1,100 tokens before B's load, and a restore after A's."""
    simulation = ran(ByCost(8 * GB, is_lifted=True), there_and_back())
    cold = ran(Never(), there_and_back())

    assert simulation.totals.prompt_s == pytest.approx(12.0)
    assert simulation.totals.written_bytes == 1100 * 100_000
    assert simulation.totals.unread_files == 0
    assert simulation.totals.added_wait_s == pytest.approx(SAVE_S + RESTORE_S)
    assert simulation.totals.slower[0] == pytest.approx(SAVE_S / (LOAD_S + STOP_S))
    assert cold.seconds - simulation.seconds == pytest.approx(11.0 - SAVE_S - RESTORE_S)


def test_a_swap_with_a_waiting_request_has_a_twentieth_of_the_load() -> None:
    """The save of 1,100 tokens fits into 0.2 s, that of 3,100 does not."""
    assert ran(ByCost(8 * GB), there_and_back()).totals.prompt_s == pytest.approx(12.0)
    assert ran(ByCost(8 * GB), agent()).totals.prompt_s == pytest.approx(62.0)
    assert ran(ByCost(8 * GB, is_lifted=True), agent()).totals.prompt_s == pytest.approx(31.0)


def test_a_long_save_goes_on_beside_the_next_load() -> None:
    """B's load begins at once: it waits neither for the save nor for the stop of A."""
    simulation = ran(BESIDE, agent())

    assert simulation.totals.prompt_s == pytest.approx(31.0)
    assert simulation.totals.slower == [0.0, 0.0]
    restore_s = 0.005 + 0.155
    assert simulation.totals.added_wait_s == pytest.approx(restore_s)
    loads_s = LOAD_S + LOAD_S + STOP_S + LOAD_S + restore_s
    assert simulation.seconds == pytest.approx(loads_s + 31.0 + 2 * 2.0 + 1.0)


def test_a_short_save_comes_before_the_load_also_with_memory_for_two() -> None:
    """It takes less than a twentieth of the load."""
    simulation = ran(BESIDE, there_and_back())

    assert simulation.totals.added_wait_s == pytest.approx(SAVE_S + RESTORE_S)
    assert simulation.totals.slower[0] == pytest.approx(SAVE_S / (LOAD_S + STOP_S))


@pytest.mark.parametrize(
    ("keeper", "model", "files"),
    [(BESIDE, C, 0), (BESIDE, B, 1), (BESIDE, A, 1), (replace(BESIDE, is_lifted=True), C, 1)],
    ids=["third model", "the model that loads", "the model that saves", "third model, keep_conversations"],
)
def test_a_request_for_a_third_model_ends_the_saves(keeper: Keeper, model: Model, files: int) -> None:
    """It arrives after 0.1 s of the save of 0.315 s."""

    def other() -> Client:
        yield Ask(model, 1.0)

    totals = ran(keeper, agent(), later(36.1, other())).totals
    assert totals.files == files
    assert totals.prompt_s == pytest.approx(31.0 if files else 62.0)


def test_the_own_model_waits_for_the_end_of_its_saves() -> None:
    """There are never two launches of one model: A loads again once it has saved and exited, 6.3 s after its stop."""

    def client() -> Client:
        yield turn(A, 60_000)
        yield Ask(B, 0.0)
        yield turn(A, 60_200)

    save_s, restore_s = 0.005 + 6.01, 0.005 + 3.005
    simulation = ran(BESIDE, client())
    exited_at = LOAD_S + 600.0 + 2.0 + save_s + STOP_S
    assert simulation.seconds == pytest.approx(exited_at + LOAD_S + restore_s + 1.0 + 2.0)
    assert simulation.totals.prompt_s == pytest.approx(601.0)


@pytest.mark.parametrize(("keeper", "files"), [(BESIDE, 0), (replace(BESIDE, is_lifted=True), 1)])
def test_a_request_ends_saves_that_nothing_waited_for(keeper: Keeper, files: int) -> None:
    """The model expires after 5 s; a second later, of the 6.015 s of its save, another one is requested."""
    expiring = replace(A, spec=replace(A.spec, settings=replace(A.spec.settings, idle_ttl_s=5.0)))

    def client() -> Client:
        yield turn(expiring, 60_000)
        yield Think(6.0)
        yield Ask(B, 1.0)

    assert ran(keeper, client()).totals.files == files


def test_no_more_is_written_than_allowed() -> None:
    """The first file, of 310 MB, is allowed; it is restored again, because the second one is not."""

    def client() -> Client:
        for prompt in (3000, 3200, 3400):
            yield turn(A, prompt)
            yield Ask(B, 1.0)

    unlimited = ran(BESIDE, client()).totals
    limited = ran(replace(BESIDE, write_bytes_h=GB / 2), client()).totals
    assert unlimited.files == 3
    assert unlimited.prompt_s == pytest.approx(30.0 + 1.0 + 1.0)
    assert limited.files == 1
    assert limited.written_bytes == 3100 * 100_000
    assert limited.prompt_s == pytest.approx(30.0 + 1.0 + 3.0)


def test_conversations_have_slots_of_their_own() -> None:
    """Four in turn are found again, of five the one unused for longest is not."""

    def in_turn(count: int) -> Client:
        for prompt in (1000, 1100):
            for one in range(count):
                yield turn(A, prompt, f"{count}/{one}")

    assert ran(Never(), in_turn(4)).totals.prompt_s == pytest.approx(40.0)
    assert ran(Never(), in_turn(5)).totals.prompt_s == pytest.approx(50.0 + 55.0)


def test_an_unchanged_prompt_is_not_written_again() -> None:
    """A returns, is not asked for this conversation, and leaves again."""

    def client() -> Client:
        yield turn(A, 1000)
        yield Ask(B, 1.0)
        yield Ask(A, 1.0)
        yield Ask(B, 1.0)
        yield turn(A, 1300)

    totals = ran(ByCost(8 * GB, is_lifted=True), client()).totals
    assert totals.files == 1
    assert totals.prompt_s == pytest.approx(12.0)


def test_always_deletes_the_oldest_files() -> None:
    """Within its limit, and a prompt that is older than all files is not saved for them."""
    kept = [
        KeptFile(name=name, size_bytes=100_000_000, gain_s=1.0, idle_s=idle_s)
        for name, idle_s in (("new", 1.0), ("old", 9.0))
    ]
    rule, waiting = Always(200_000_000), Waiting(requests=1, load_s=4.0)

    plan = rule.saves([SlotPrompt(slot=2, tokens=1000, idle_s=0.0)], RATES, kept, waiting)
    assert (plan.delete, plan.save) == (("old",), (2,))
    plan = rule.saves([SlotPrompt(slot=2, tokens=1000, idle_s=99.0)], RATES, kept, waiting)
    assert (plan.delete, plan.save) == ((), ())


def test_prompts_grow_and_begin_anew() -> None:
    """Each prompt of a conversation holds the one before and its response, until the context is full."""
    conversation, last = Conversation("x", AGENT), None
    names = set[str]()
    for _ in range(60):
        asked = conversation.turn(Ask(A, 1.0))
        names.add(asked.conversation)
        assert asked.prompt_tokens <= CONTEXT_TOKENS
        if last is not None and last.conversation == asked.conversation:
            assert asked.prompt_tokens > last.prompt_tokens + last.answer_tokens
        last = asked
    assert len(names) > 1


def test_the_rules_order_is_the_same_on_short_traces() -> None:
    """Files lower the prompt seconds, and with the shipped rule no swap becomes slower by more than 5 %."""
    agent = next(trace for trace in SHORT if trace.name == "agent")
    never, shipped, kept = (
        measure(agent, rule, LAPTOP, seeds=(1,))
        for rule in (Never(), ByCost(8 * GB), ByCost(8 * GB, is_lifted=True))
    )

    assert kept.prompt_s < 0.2 * never.prompt_s
    assert kept.prompt_s == pytest.approx(kept.least_prompt_s)
    assert kept.found > 0.9
    assert shipped.prompt_s <= never.prompt_s
    assert shipped.slower_swaps == 0.0


def test_the_same_seed_gives_the_same_week() -> None:
    """All rules see the same conversations."""
    first, second = (
        [step for client in WEEK.clients(1) for step in client if isinstance(step, Turn)] for _ in range(2)
    )
    assert first == second
    assert len(first) > 100


def test_the_report_has_all_rules() -> None:
    """A table and a plot; a machine on which nothing is worth a file is not simulated."""
    figures = figures_of([ran(Never(), there_and_back())])
    table = {SHORT[0]: dict.fromkeys(COLOURS, figures)}

    assert machine_table(table).count("\n") == 1 + len(COLOURS)
    assert "23 s" in "".join(ET.fromstring(plot(table, "title")).itertext())  # noqa: S314 - our own text
    row = {NEVER: figures, DEFAULT: figures, NO_LIMIT: figures}
    text = page({LAPTOP: table}, {"agent": row}, {"8 GB": row}, {"agent": row})
    assert "| agent | 0% / 0.0 | 0% / 0.0 |" in text
    assert "0% / 0% / 0%" in text
    assert [machine for machine in MACHINES if machine.break_even_tokens is None][-1] is FAST_GPU
