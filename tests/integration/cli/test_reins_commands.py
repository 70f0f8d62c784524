"""load, unload, pin and unpin on a real server with the scripted engine, and on a catalogue alone."""

import json

import pytest
from tests.support.waiting import is_alive, wait_until

from gglib.testing import Script, write_tiny_gguf

from .conftest import Home
from .test_server_commands import ANSWER

ERASE_LINE = "\x1b[2K"


@pytest.fixture
def twice(stocked: Home) -> Home:
    """Yield a home with the models ``tiny`` and ``Org/other:Q4``."""
    file = write_tiny_gguf(stocked.path / "other.gguf", seed=5)
    stocked.ok("add", str(file), "--name", "Org/other:Q4", "--alias", "other")
    return stocked


def test_models_are_loaded_and_unloaded_by_name(twice: Home) -> None:
    """A load is done when the model is ready; ``unload`` and ``stop`` with a name leave the other models."""
    twice.set("max_models = 2")
    with twice.serving():
        assert twice.ok("load", "tiny") == "Loaded 'tiny' with a context of 8192 tokens.\n"
        loaded = json.loads(twice.ok("load", "other", "--ctx", "1024", "--json"))
        assert (loaded["model_name"], loaded["effective_ctx"]) == ("Org/other:Q4", 1024)
        first, second = twice.engine_pids()
        assert twice.ok("unload", "Org/other:Q4") == "Unloaded Org/other:Q4.\n"
        assert (is_alive(first), is_alive(second)) == (True, False)
        assert twice.ok("unload", "other") == "'other' was not loaded.\n"
        assert json.loads(twice.ok("stop", "tiny", "--json")) == {"stopped": ["tiny"], "node": None}
        assert not is_alive(first)
        assert json.loads(twice.ok("stop", "--json")) == {"stopped": []}
        assert twice.run("stop", "tiny", "--server").returncode == 2


def test_a_load_shows_its_progress_and_its_failure(twice: Home) -> None:
    """The line is erased; a failed load is one sentence with the reason."""
    twice.script(Script(load_s=1.0, scripts={"tiny": {"load_fails_with": "invalid magic"}}))
    with twice.serving():
        with twice.watched("load", "other") as load:
            assert load.end().startswith("Loaded 'Org/other:Q4'")
        assert "Loading 'Org/other:Q4'" in load.seen
        assert ERASE_LINE in load.seen
        assert "invalid magic" in twice.refused("load", "tiny")


def test_pins_survive_and_need_no_server(twice: Home) -> None:
    """A pin in the catalogue is shown, and a server changes the same pin."""
    effect = "it stays in memory once it is loaded, and models that do not fit beside it are refused"
    assert twice.ok("pin", "other") == f"Pinned 'Org/other:Q4': {effect}.\n"
    assert "Pinned:       yes\n" in twice.ok("show", "other")
    with twice.serving():
        assert json.loads(twice.ok("pin", "tiny", "--json"))["is_pinned"] is True
        assert twice.ok("unpin", "other") == "Unpinned 'Org/other:Q4'.\n"
    assert [json.loads(twice.ok("show", name, "--json"))["is_pinned"] for name in ("tiny", "other")] == [
        True,
        False,
    ]
    shown = json.loads(twice.ok("show", "tiny", "--json"))
    assert json.loads(twice.ok("pin", "tiny", "--json")) == shown


def test_unknown_models_and_a_missing_server_are_one_sentence(twice: Home) -> None:
    """The errors name similar models, or the command that starts a server."""
    for command in ("load", "unload"):
        assert "'gglib serve'" in twice.refused(command, "tiny")
    assert "Did you mean tiny?" in twice.refused("pin", "tinny")
    with twice.serving():
        for command in ("load", "unload", "stop", "pin", "unpin"):
            assert "Did you mean tiny?" in twice.refused(command, "tinny")


def test_a_priority_is_set_shown_and_taken_back(stocked: Home) -> None:
    """Other values are refused before anything is read."""
    stocked.ok("set", "tiny", "--priority", "batch")
    assert json.loads(stocked.ok("show", "tiny", "--json"))["priority"] == "batch"
    assert "Priority:     batch\n" in stocked.ok("show", "tiny")
    stocked.ok("set", "tiny", "--priority", "default")
    assert json.loads(stocked.ok("show", "tiny", "--json"))["priority"] is None
    assert stocked.run("set", "tiny", "--priority", "high").returncode == 2


def test_keeping_conversations_is_set_shown_and_taken_back(stocked: Home) -> None:
    """The default differs from both values."""
    for value, stored, shown in (("on", True, "yes, while it is not in memory"), ("off", False, "no")):
        stocked.ok("set", "tiny", "--keep-conversations", value)
        assert json.loads(stocked.ok("show", "tiny", "--json"))["keep_conversations"] is stored
        assert f"Kept prompts: {shown}\n" in stocked.ok("show", "tiny")
    stocked.ok("set", "tiny", "--keep-conversations", "default")
    assert json.loads(stocked.ok("show", "tiny", "--json"))["keep_conversations"] is None
    assert "Kept prompts" not in stocked.ok("show", "tiny")
    assert stocked.run("set", "tiny", "--keep-conversations", "always").returncode == 2


def test_models_are_preloaded_and_a_failure_does_not_end_the_server(twice: Home) -> None:
    """The server listens first; warnings name unknown models and failed loads."""
    twice.script(Script(scripts={"tiny": {"load_fails_with": "invalid magic"}}))
    twice.set('preload = ["tinny", "tiny", "other"]')
    with twice.serving():
        wait_until(lambda: "preloaded 'Org/other:Q4'" in (twice.path / "stderr.txt").read_text())
        log = (twice.path / "stderr.txt").read_text()
        assert "Setting 'preload': Model 'tinny' is not in the catalogue. Did you mean tiny?" in log
        assert "'tiny' cannot be preloaded" in log
        status = json.loads(twice.ok("ps", "--json"))
        assert [resident["model_name"] for resident in status["residents"]] == ["Org/other:Q4"]


def test_a_budget_of_a_device_that_does_not_exist_is_a_warning(twice: Home) -> None:
    """At the start and after a reload, with the devices that exist."""
    twice.set('memory = {ram = "20G", gpu98 = "8G"}')
    with twice.serving():
        log = (twice.path / "stderr.txt").read_text()
        assert "Setting 'memory': 'gpu98' is not a device" in log
        assert "The devices are ram" in log
        config = twice.path / "config.toml"
        config.write_text(config.read_text().replace("gpu98", "gpu99"))
        assert "'gpu99' is not a device" in twice.run("reload").stderr


def test_up_warns_about_models_of_the_settings(twice: Home) -> None:
    """Its log is not on the terminal, its warnings are."""
    twice.set('default_model = "tinny"')
    with twice.foreground("up", first_words="Serving"):
        wait_until(lambda: "Warning: Setting 'default_model'" in (twice.path / "stderr.txt").read_text())


def test_a_chat_without_a_model_uses_the_default_one(twice: Home) -> None:
    """Several models can chat: without the setting, a name is needed."""
    assert "several models" in twice.run("run", stdin="Hello").stderr.lower()
    twice.set('default_model = "other"')
    with twice.serving():
        assert twice.run("run", stdin="Hello").stdout.strip() == "t0 t1 t2"
        residents = json.loads(twice.ok("ps", "--json"))["residents"]
        assert [resident["model_name"] for resident in residents] == ["Org/other:Q4"]
    twice.ok("config", "set", "default_model", "otter")
    assert "Error: Setting 'default_model': Model 'otter' is not" in twice.run("run", stdin="Hello").stderr


def test_up_shows_the_default_model_and_reloads(twice: Home) -> None:
    """The settings for clients name the default model; a change of the file is reported where the user looks."""
    twice.set('default_model = "other"')
    with twice.foreground("up", "--port", "0", first_words="Serving") as running:
        assert running.process.stdout is not None
        shown = []
        for line in running.process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        assert "Org/other:Q4" in "".join(shown)
        twice.set("max_models = 2")
        errors = twice.path / "stderr.txt"
        wait_until(lambda: "Reloaded the settings: max_models 1 -> 2." in errors.read_text())
        assert "already uses" in twice.ok("reload")


def test_an_alias_list_is_loaded_and_serves_requests(twice: Home) -> None:
    """The first model cannot be loaded, so the second is."""
    twice.script(Script(scripts={"tiny": {"load_fails_with": "invalid magic"}}))
    twice.set('[aliases]\nfast = ["gone", "tiny", "other"]')
    with twice.serving():
        assert "Loaded 'Org/other:Q4'" in twice.ok("load", "fast")
        assert twice.ok("unload", "fast") == "Unloaded Org/other:Q4.\n"


def test_a_chat_with_an_alias_list_shows_the_load_of_its_model(twice: Home) -> None:
    """A request of the chat has the alias, so the next model serves it if the first cannot be loaded."""
    twice.script(Script(load_s=1.0, scripts={"tiny": {"load_fails_with": "invalid magic"}}))
    twice.set('[aliases]\nfast = ["gone", "other"]\nsafe = ["tiny", "other"]')
    with twice.watched("run", "fast", "Hello") as run:
        assert run.end().strip() == ANSWER
    assert "Loading 'Org/other:Q4'" in run.seen
    assert twice.ok("run", "safe", "Hello").strip() == ANSWER
