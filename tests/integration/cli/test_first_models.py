"""``gglib up`` and ``gglib pull`` offer first models: a real terminal, and a hub on this machine."""

import json
from collections.abc import Iterator

import pytest
from scripts.check_first_models import differences
from tests.support.terminal import CTRL_C, ENTER, terminal

from gglib.app.models.hub import open_hub
from gglib.library.starter.first_models import first_models
from gglib.testing.local_hub import Fault, LocalHub

from .conftest import Home, installed_program

GGLIB = (str(installed_program()),)
MODEL = first_models().models[0]


@pytest.fixture
def hub(home: Home) -> Iterator[LocalHub]:
    """Yield a hub that has the smallest model of the list only."""
    with LocalHub() as hub:
        hub.add_repository(MODEL.repo, {"qwen2.5-0.5b-instruct-q4_k_m.gguf": home.model_file}, licence="mit")
        home.variables = {
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HOME": str(home.path),
        }
        yield hub


@pytest.mark.usefixtures("hub")
def test_up_fetches_the_model_that_was_chosen_and_talks_to_it(home: Home) -> None:
    """Enter takes the recommended one; those that the hub lacks are not offered."""
    home.set('max_models = "auto"')
    with terminal((*GGLIB, "up"), env=home.environment, columns=80) as up:
        shown = up.wait_for("Number [2]:")
        assert "1  SmolLM2 135M Instruct " in shown
        assert "2  Qwen2.5 0.5B Instruct  491 MB  Apache-2.0  fits  recommended" in shown
        assert "Qwen3" not in shown
        up.send(ENTER)
        assert "Pulled 'qwen2.5-0.5b-instruct-q4_k_m'" in up.wait_for("Ctrl-C stops everything.")
        assert "Answer   t0" in up.text
        up.send(CTRL_C)
        assert up.wait_for_exit() == 0


def test_up_prefers_the_starter_without_a_hub(home: Home, hub: LocalHub) -> None:
    """A hub that is silent delays the question by two seconds at most; none of them: exit code 1."""
    hub.inject_fault(Fault(stalls=True))
    with terminal((*GGLIB, "up"), env=home.environment, columns=80) as up:
        assert "The hub cannot be reached: only 1 can be fetched now." in up.wait_for("Number [1]:")
        up.send(f"2{ENTER}")
        assert "type 1 or 0, or try again later." in up.wait_for("Number [1]:", count=2)
        up.send(f"0{ENTER}")
        assert "No model to serve: add one with" in up.wait_for("No model to serve")
        assert up.wait_for_exit() == 1


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("columns", [80, 140])
def test_pull_without_a_target_offers_the_same(home: Home, columns: int) -> None:
    """The model is added; the plan is printed, and nothing else is asked."""
    with terminal((*GGLIB, "pull"), env=home.environment, columns=columns) as pull:
        pull.wait_for("Number [2]:")
        pull.send(f"9{ENTER}")
        assert "Type a number from 0 to 2." in pull.wait_for("Number [2]:", count=2)
        pull.send(ENTER)
        assert pull.wait_for_exit() == 0
        assert "Chat with it: " in pull.text
        assert "run qwen2.5-0.5b-instruct-q4_k_m" in pull.text.replace("\n", "")
    assert [model["name"] for model in json.loads(home.ok("list", "--json"))] == [
        "qwen2.5-0.5b-instruct-q4_k_m"
    ]


@pytest.mark.usefixtures("hub")
def test_pull_without_a_target_or_a_terminal_lists_commands(home: Home) -> None:
    """Exit code 2, and no request to the hub."""
    done = home.run("pull")
    assert done.returncode == 2
    assert f"gglib pull {MODEL.target}" in done.stdout
    assert "Name what to pull" in done.stderr


@pytest.mark.usefixtures("hub")
async def test_list_is_compared_with_the_hub(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script reports each difference: here a tiny file under the name of the real one."""
    monkeypatch.setenv("HF_ENDPOINT", home.variables["HF_ENDPOINT"])
    async with open_hub() as hub:
        found = [sentence async for sentence in differences(MODEL, hub)]
    assert found[0] == "licence apache-2.0, on the hub mit"
    assert found[1].startswith("size 491400032, on the hub ")
    assert any(sentence.startswith("architecture qwen2, in the header llama") for sentence in found)
