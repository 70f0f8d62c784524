"""What is shown before a pull downloads anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.library.pull_harness import PullHarness

from gglib.cli.pull import plan_text
from gglib.cli.terminal.choices import parse_choice
from gglib.core.hub.quantizations import folded
from gglib.core.memory import MachineMemory
from gglib.library.pull.disk_space import PullPlace
from gglib.library.pull.plan import PullPlan

REPO = "ada/tiny-GGUF"
PLACE = PullPlace(Path("/models/ada/tiny-GGUF"), 120_000_000_000)
LITTLE = MachineMemory(total_bytes=1 << 20, available_bytes=1 << 20)


@pytest.fixture
async def plan(tmp_path: Path) -> PullPlan:
    """Return the plan for a repository of two quantizations, of which Q4_K_M is recommended."""
    return await PullHarness(tmp_path).plan(REPO)


def sized(plan: PullPlan, size_bytes: int, *, here: int = 0, **changes: object) -> PullPlan:
    """Return the plan with a file of another size, of which some bytes are on the disk."""
    (file,) = plan.files
    file = replace(file, remote=replace(file.remote, size_bytes=size_bytes), here_bytes=here)
    return replace(plan, files=(file,), **changes)  # type: ignore[arg-type]


def test_all_quantizations_are_numbered_and_one_is_recommended(plan: PullPlan) -> None:
    """With sizes and fits; Enter takes the recommended one."""
    rows = plan_text.choice_rows(plan)
    assert [row[:2] for row in rows] == [["1", "Q4_K_M"], ["2", "Q8_0"]]
    assert [row[3:] for row in rows] == [["fits", "recommended"], ["fits", ""]]
    assert plan_text.planned_index(plan) == 0


@pytest.mark.parametrize(
    ("text", "label"), [("1", "Q4_K_M"), (" 2 ", "Q8_0"), ("q8_0", "Q8_0"), ("Q4-K-M", "Q4_K_M")]
)
def test_choice_is_a_number_or_a_label(plan: PullPlan, text: str, label: str) -> None:
    """Labels ignore case and separators, as in targets."""
    labels = [variant.label for variant, _ in plan.choices]
    index = parse_choice(text, labels, numbers=[1, 2], fold=folded)
    assert plan_text.choice_target(plan, index) == f"{REPO}:{label}"


def test_choice_is_needed_once(plan: PullPlan) -> None:
    """Not for a model of the catalogue, a begun pull, or a named quantization."""
    assert plan_text.needs_choice(plan)
    assert not plan_text.needs_choice(replace(plan, is_resumed=True))
    assert not plan_text.needs_choice(replace(plan, was_chosen=False))


def test_list_without_a_terminal_begins_with_the_recommended(plan: PullPlan) -> None:
    """Each with its command, size and fit."""
    head, *lines = plan_text.choices_text(plan).splitlines()
    assert head.startswith("The repository has several quantizations")
    assert lines[0] == f"  gglib pull {REPO}:Q4_K_M  (520 kB, fits; suggested, --yes selects it)"
    assert lines[1] == f"  gglib pull {REPO}:Q8_0  (520 kB, fits)"


def test_plan_says_what_where_and_how_much_is_free(plan: PullPlan) -> None:
    """Nothing about an earlier download."""
    assert list(plan_text.plan_lines(sized(plan, 4_700_000_000), PLACE)) == [
        f"{REPO}:Q4_K_M: 1 file, 4.7 GB, fits this machine.",
        "To /models/ada/tiny-GGUF, 120.0 GB free.",
    ]


@pytest.mark.parametrize(
    ("here", "total", "line"),
    [
        (1_940_000_000, 4_700_000_000, "Resuming at 41 %: 1.9 of 4.7 GB."),
        (470_000_000, 4_700_000_000, "Resuming at 10 %: 470 MB of 4.7 GB."),
        (4_699_999_999, 4_700_000_000, "Resuming at 99 %: 4.7 of 4.7 GB."),
        (1_000_000, 93_000_000, "Resuming at 1 %: 1 of 93 MB."),
    ],
)
def test_resumed_pull_says_how_far_it_is(plan: PullPlan, here: int, total: int, line: str) -> None:
    """In the units of ``list``; it is not 100 % before its last byte."""
    assert line in list(plan_text.plan_lines(sized(plan, total, here=here, is_resumed=True), PLACE))


def test_file_of_another_model_is_not_resumed(plan: PullPlan) -> None:
    """It is on the disk; nothing was begun."""
    lines = list(plan_text.plan_lines(sized(plan, 2_000_000_000, here=500_000_000), PLACE))
    assert lines[-1] == "500 MB of it are on the disk: 1.5 GB to download."


def test_size_may_be_unknown(plan: PullPlan) -> None:
    """Of a server that sends none: no percentage."""
    assert plan_text.resume_line(5_000_000, None) == "Resuming at 5 MB."


async def test_too_large_has_a_note(tmp_path: Path) -> None:
    """With the need."""
    plan = await PullHarness(tmp_path).plan(f"{REPO}:Q8_0", memory=LITTLE)
    lines = list(plan_text.plan_lines(plan, PLACE))
    assert "too large for this machine's free memory" in lines[0]
    assert lines[-1].startswith("Note: it needs about ")


def test_interrupted_pull_names_the_command(plan: PullPlan) -> None:
    """The query of a URL may be a signature."""
    assert plan_text.interrupted_text(plan) == f"Interrupted: 'gglib pull {REPO}:Q4_K_M' resumes."
    secret = replace(plan, asked="https://a.b/c.gguf?key=1")
    assert "key" not in plan_text.interrupted_text(secret)
