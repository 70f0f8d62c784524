"""``gglib tune`` with the scripted engine, whose rates depend on its arguments: real processes, sockets and files."""

import json
import signal
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.integration.cli.conftest import Home
from tests.support.waiting import wait_until

from gglib.testing import Script, read_record

FASTER = Script(speeds={"--flash-attn=on": 1.5, "--flash-attn=off": 0.5})
ARGUMENTS = ("tune", "tiny", "--rounds", "3", "--only", "flash")


def launches(home: Home) -> list[list[str]]:
    """Return the command lines of all engines that were started."""
    return [event["argv"] for event in read_record(home.record) if event["event"] == "start"]


def tuned(home: Home, *options: str) -> dict[str, Any]:
    """Tune and return the JSON."""
    found: dict[str, Any] = json.loads(home.ok(*ARGUMENTS, "--json", *options))
    return found


def engine_args(home: Home) -> Sequence[str]:
    """Return the engine arguments in the catalogue."""
    arguments: Sequence[str] = json.loads(home.ok("show", "tiny", "--json"))["engine_args"]
    return arguments


def test_the_fastest_arguments_are_kept_and_can_be_undone(stocked: Home) -> None:
    """The command that undoes it is printed; the user's own arguments stay."""
    stocked.ok("set", "tiny", "--engine-args", "--top-k 5")
    stocked.script(FASTER)
    shown = stocked.ok(*ARGUMENTS)
    assert engine_args(stocked) == ["--top-k", "5", "--flash-attn", "on"]
    assert "Kept: --top-k 5 --flash-attn on" in shown
    assert "Undo: gglib set --engine-args '--top-k 5' tiny" in shown
    assert "Faster by 33 %" in shown
    stocked.ok("set", "--engine-args", "--top-k 5", "tiny")
    assert engine_args(stocked) == ["--top-k", "5"]


def test_a_dry_run_changes_nothing(stocked: Home) -> None:
    """It measures, and prints the command that would keep the result."""
    stocked.script(FASTER)
    shown = stocked.ok(*ARGUMENTS, "--dry-run")
    assert "Nothing was changed. Keep it: gglib set --engine-args '--flash-attn on' tiny" in shown
    assert engine_args(stocked) == []


def test_each_candidate_is_an_engine_with_the_context_that_was_asked_for(stocked: Home) -> None:
    """Launched as for a request: with the number of slots, which all have the context."""
    stocked.script(FASTER)
    assert tuned(stocked, "--ctx", "1024", "--dry-run")["context"] == 1024
    started = launches(stocked)
    assert [argv[argv.index("--flash-attn") + 1] for argv in started if "--flash-attn" in argv] == [
        "on",
        "off",
        "on",
    ]
    for argv in started:
        slots, whole = (int(argv[argv.index(name) + 1]) for name in ("--parallel", "--ctx-size"))
        assert whole == 1024 * slots


def test_each_round_computes_the_whole_turn(stocked: Home) -> None:
    """After one that is not counted; the confirmation has twice as many."""
    stocked.script(FASTER)
    found = tuned(stocked, "--dry-run", "--prompt-tokens", "40", "--tokens", "7")
    assert (found["prompt_tokens"], found["tokens"]) == (40, 7)
    requests = [event for event in read_record(stocked.record) if event.get("path") == "/completion"]
    assert len(requests) == 3 * (1 + 3) + 2 * (1 + 6)


def test_failed_loads_and_unknown_options_are_rows(stocked: Home) -> None:
    """The search goes on; the current settings stay."""
    stocked.script(
        Script(load_errors={"--flash-attn=on": "error: no kernel for it"}, lacks_options=("--cache-type-k",))
    )
    rows = tuned(stocked, "--only", "flash,kv")["rows"]
    assert [(row["tried"], row["outcome"]) for row in rows] == [
        ("current settings", "current"),
        ("--flash-attn on", "failed"),
        ("--flash-attn off", "slower"),
        ("--cache-type-k q8_0", "skipped"),
        ("--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on", "skipped"),
    ]
    assert "no kernel for it" in rows[1]["note"]
    assert rows[3]["note"] == "the engine in use does not take this option"
    assert engine_args(stocked) == []


@pytest.mark.parametrize("options", [(), ("--allow-kv-quantization",)])
def test_a_quantized_cache_is_kept_only_if_allowed(stocked: Home, options: tuple[str, ...]) -> None:
    """The table says why it is not."""
    stocked.script(Script(speeds={"--cache-type-k=q8_0": 2.0}))
    found = tuned(stocked, "--only", "kv", *options)
    assert found["is_kept"] is bool(options)
    assert engine_args(stocked) == (["--cache-type-k", "q8_0"] if options else [])
    assert "changes answers slightly" in found["rows"][1]["note"]


def test_an_engine_that_does_not_respond_as_expected_is_an_error(stocked: Home) -> None:
    """Of the current settings: there is nothing to compare with."""
    stocked.script(Script(status=500))
    assert stocked.refused(*ARGUMENTS) == (
        "Model 'tiny' could not be loaded: the engine refused the request: Scripted error"
    )


def test_settings_that_cannot_be_loaded_are_an_error(stocked: Home) -> None:
    """With the engine's reason."""
    stocked.script(Script(load_fails_with="error: out of luck"))
    assert "out of luck" in stocked.refused(*ARGUMENTS)


def test_a_server_with_models_in_memory_is_refused(stocked: Home) -> None:
    """Unless ``--beside`` is given; then the server unloads the model because of its new arguments."""
    stocked.script(FASTER)
    with stocked.serving():
        assert "dry" not in stocked.ok(*ARGUMENTS, "--dry-run")
        stocked.ok("load", "tiny")
        assert stocked.refused(*ARGUMENTS) == (
            "gglib has 'tiny' in memory, which would slow the measurement down: run 'gglib stop' first, or add "
            "--beside."
        )
        shown = stocked.ok(*ARGUMENTS, "--beside")
        assert "It is in memory: it is unloaded after its requests" in shown
    assert engine_args(stocked) == ["--flash-attn", "on"]


def test_the_plot_is_written(stocked: Home) -> None:
    """A path that cannot be written is refused before the measurement."""
    stocked.script(FASTER)
    plot = stocked.path / "plot.svg"
    stocked.ok(*ARGUMENTS, "--dry-run", "--svg", str(plot))
    assert ET.parse(plot).getroot().tag.endswith("svg")  # noqa: S314 - our own
    count = len(launches(stocked))
    assert "cannot be written" in stocked.refused(*ARGUMENTS, "--svg", str(stocked.path / "no" / "plot.svg"))
    assert len(launches(stocked)) == count


@pytest.mark.parametrize("kinds", ["flash,warp", "", " , "])
def test_unknown_kinds_are_refused(stocked: Home, kinds: str) -> None:
    """With the known ones."""
    done = stocked.run("tune", "tiny", "--only", kinds)
    assert done.returncode == 2
    assert "the kinds are gpu, threads, batch, flash, kv, draft." in done.stderr


def test_a_model_without_text_is_refused(stocked: Home) -> None:
    """There is nothing to generate."""
    stocked.ok("set", "tiny", "--embedding")
    assert stocked.refused(*ARGUMENTS) == (
        "'tiny' is an embedding model: 'gglib tune' measures models that generate text."
    )


def test_a_model_that_llama_cpp_does_not_serve_is_refused(stocked: Home) -> None:
    """Before anything is launched or requested."""
    stocked.ok("add", "--command", "false {port}", "--name", "command")
    stocked.ok("add", "--url", "http://127.0.0.1:9/v1", "--name", "url")
    for name, what in (("command", "a command"), ("url", "a server elsewhere")):
        assert stocked.refused("tune", name) == (
            f"'{name}' is served by {what}: 'gglib tune' measures models that llama.cpp serves."
        )


def test_arguments_that_were_changed_meanwhile_are_not_overwritten(stocked: Home) -> None:
    """Another command may set them while it measures."""
    stocked.script(Script(speeds=FASTER.speeds, load_s=0.2))
    with stocked.watched(*ARGUMENTS) as watched:
        watched.read_until("--flash-attn on")
        stocked.ok("set", "tiny", "--engine-args", "--top-k 7")
        watched.read_until("were changed while it was measured")
        watched.process.wait()
    assert engine_args(stocked) == ["--top-k", "7"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_tuning_leaves_no_engine_and_changes_nothing(stocked: Home, number: int) -> None:
    """Neither after Ctrl-C, nor after a kill; the next one works."""
    stocked.script(Script(speeds=FASTER.speeds, hang=True))
    with stocked.watched(*ARGUMENTS) as watched:
        watched.read_until("current settings")
        wait_until(lambda: bool(stocked.engine_pids()))
        watched.process.send_signal(number)
        code = watched.process.wait()
    assert code == (130 if number == signal.SIGINT else -number)
    wait_until(lambda: not stocked.engine_pids())
    assert engine_args(stocked) == []
    stocked.script(FASTER)
    assert tuned(stocked)["is_kept"]
    assert not any((stocked.path / "run" / "tuning").iterdir())


def test_a_second_tuning_of_a_home_is_refused(stocked: Home) -> None:
    """Both would measure each other."""
    stocked.script(Script(hang=True))
    with stocked.watched(*ARGUMENTS) as watched:
        watched.read_until("current settings")
        wait_until(lambda: bool(stocked.engine_pids()))
        assert stocked.refused(*ARGUMENTS).startswith("Another 'gglib tune' measures with this home")
        watched.process.send_signal(signal.SIGINT)
        watched.process.wait()


def test_a_server_that_starts_meanwhile_leaves_the_engine_alone(stocked: Home) -> None:
    """It stops engines that a crash left, of servers."""
    stocked.script(Script(hang=True))
    with stocked.watched(*ARGUMENTS) as watched:
        watched.read_until("current settings")
        wait_until(lambda: bool(stocked.engine_pids()))
        (pid,) = stocked.engine_pids()
        with stocked.serving():
            assert stocked.engine_pids() == [pid]
        assert watched.process.poll() is None
        watched.process.send_signal(signal.SIGINT)
        watched.process.wait()


def test_the_progress_is_on_stderr(stocked: Home) -> None:
    """A line for each launch where stderr is no terminal."""
    stocked.script(FASTER)
    done = stocked.run(*ARGUMENTS, "--json", "--dry-run")
    json.loads(done.stdout)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("1 of about 3: current settings (how long")
    assert lines[1].startswith("2 of about 3: --flash-attn on")
    assert len(lines) == 5
