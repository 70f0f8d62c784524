"""Words for engine options, arguments after ``--``, and the list of options."""

import json
import sqlite3
from pathlib import Path

import pytest

from gglib.testing import write_tiny_encoder, write_tiny_gguf, write_tiny_lora

from .conftest import Home


@pytest.fixture
def embedded(stocked: Home) -> Home:
    """Return a home with one model, which uses the embedded engine."""
    stocked.ok("config", "set", "engine", "embedded")
    return stocked


def arguments_of(home: Home, name: str = "tiny") -> str:
    """Return the engine arguments of a model."""
    return " ".join(json.loads(home.ok("show", name, "--json"))["engine_args"])


def test_words_become_arguments_and_are_shown(embedded: Home, tmp_path: Path) -> None:
    """Each word sets its own options, and its reset removes them; the others stay."""
    lora = write_tiny_lora(tmp_path / "style.gguf")
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages }}", encoding="utf-8")
    embedded.ok("set", "tiny", "--engine-args", "--threads 1", "--lora", f"{lora}:0.5", "--thinking", "off")
    embedded.ok("set", "tiny", "--template", str(template), "--gpu-layers", "all", "--kv-type", "bf16")
    shown = embedded.ok("show", "tiny")
    for line in (f"LoRA:         {lora}:0.5", "Thinking:     off", "GPU layers:   all", "KV type:      bf16"):
        assert line in shown
    assert f"Chat template:{template}" in shown.replace(": ", ":")
    embedded.ok(
        "set", "tiny", "--lora", "none", "--template", "default", "--gpu-layers", "auto", "--kv-type", "f16"
    )
    assert arguments_of(embedded) == "--threads 1 --reasoning off"
    embedded.ok("set", "tiny", "--thinking", "auto")
    assert arguments_of(embedded) == "--threads 1"


def test_add_takes_the_same_words(embedded: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths are those of the user's directory."""
    monkeypatch.chdir(tmp_path)
    write_tiny_gguf(tmp_path / "other.gguf", seed=1)
    write_tiny_lora(tmp_path / "a.gguf")
    embedded.ok("add", "other.gguf", "--lora", "a.gguf", "--env", "CUDA_VISIBLE_DEVICES=1")
    assert arguments_of(embedded, "other") == f"--lora-scaled {tmp_path}/a.gguf:1"
    assert "Environment:  CUDA_VISIBLE_DEVICES=1" in embedded.ok("show", "other")
    embedded.ok("set", "other", "--env", "CUDA_VISIBLE_DEVICES=", "--env", "OMP_PLACES=cores")
    assert "Environment:  OMP_PLACES=cores" in embedded.ok("show", "other")


def test_quotes_and_json_survive(embedded: Home) -> None:
    """``show`` prints what can be typed again."""
    value = '{"a": "b c", "d": "it\'s"}'
    embedded.ok(
        "set",
        "tiny",
        "--engine-args",
        f"--chat-template-kwargs '{value.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'",
    )
    stored = json.loads(embedded.ok("show", "tiny", "--json"))["engine_args"]
    assert stored == ["--chat-template-kwargs", value]
    line = next(line for line in embedded.ok("show", "tiny").splitlines() if line.startswith("Engine args:"))
    embedded.ok("set", "tiny", "--engine-args", line.partition(":")[2].strip())
    assert json.loads(embedded.ok("show", "tiny", "--json"))["engine_args"] == stored


def test_a_draft_model_is_found_by_name(embedded: Home, tmp_path: Path) -> None:
    """A model of the catalogue, or its file."""
    draft = write_tiny_gguf(tmp_path / "draft.gguf", seed=1)
    embedded.ok("add", str(draft), "--name", "small")
    embedded.ok("set", "tiny", "--draft", "small")
    assert arguments_of(embedded) == f"--model-draft {draft}"
    assert "Draft:        draft.gguf" in embedded.ok("show", "tiny")
    embedded.ok("set", "tiny", "--draft", "off")
    assert arguments_of(embedded) == ""
    assert "neither such a file nor such a model" in embedded.refused("set", "tiny", "--draft", "nope")


def test_an_automatic_draft_is_the_smallest_of_the_vocabulary(embedded: Home, tmp_path: Path) -> None:
    """At most half of the parameters; without one, the command says what to do."""
    assert "found no model" in embedded.refused("set", "tiny", "--draft", "auto")
    embedded.ok("add", str(write_tiny_gguf(tmp_path / "same.gguf", seed=1)))
    assert "found no model" in embedded.refused("set", "tiny", "--draft", "auto")
    small = write_tiny_gguf(tmp_path / "small.gguf", seed=2)
    embedded.ok("add", str(small))
    with sqlite3.connect(embedded.path / "gglib.db") as database:
        database.execute("UPDATE models SET parameter_count = 1000 WHERE id = (SELECT max(id) FROM models)")
    embedded.ok("set", "tiny", "--draft", "auto")
    assert arguments_of(embedded) == f"--model-draft {small}"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--engine-args", "--flash-atn on"), "Did you mean --flash-attn"),
        (("--kv-type", "q8_0"), "heads of a multiple of 32 elements"),
        (("--device", "CUDA0"), "--env CUDA_VISIBLE_DEVICES=0"),
        (("--gpu-layers", "many"), "a whole number, 'all' or 'auto'"),
        (("--template", "missing.jinja"), "does not exist"),
        (("--env", "LD_PRELOAD=x"), "load other libraries"),
        (("--env", "A"), "it must be NAME=VALUE"),
        (("--lora", "none", "--lora", "x"), "leave out the others"),
        (("--", "--tools", "all"), "has no command line"),
        (("--", "--host", "::1"), "gglib chooses the engine's address"),
    ],
)
def test_what_would_fail_is_refused_when_it_is_set(
    embedded: Home, words: tuple[str, ...], reason: str
) -> None:
    """In one sentence, and nothing is changed."""
    assert reason in embedded.refused("set", "tiny", *words)
    assert arguments_of(embedded) == ""


def test_files_have_to_go_with_the_model(embedded: Home, tmp_path: Path) -> None:
    """By their headers: no adapter, an adapter of another family, another vocabulary, no model."""
    text = tmp_path / "text"
    text.write_text("x", encoding="utf-8")
    encoder = write_tiny_encoder(tmp_path / "encoder.gguf")
    assert "is no adapter in the GGUF format" in embedded.refused("set", "tiny", "--lora", str(encoder))
    assert "is no adapter in the GGUF format" in embedded.refused("set", "tiny", "--lora", str(text))
    assert "cannot be read as a GGUF file" in embedded.refused("set", "tiny", "--draft", str(text))
    embedded.ok("add", str(encoder))
    lora = write_tiny_lora(tmp_path / "lora.gguf")
    assert "is for models of the architecture 'llama'" in embedded.refused(
        "set", "encoder", "--lora", str(lora)
    )


def test_arguments_after_a_dash_dash_are_stored_for_a_llama_server(stocked: Home) -> None:
    """Unchecked, and last; ``--`` alone removes them; before the model's name it has its usual meaning."""
    stocked.ok("set", "tiny", "--ctx", "512", "--", "--tools", "a b", "-x")
    assert "After --:     --tools 'a b' -x" in stocked.ok("show", "tiny")
    stocked.ok("set", "tiny", "--ctx", "256")
    assert "--tools" in stocked.ok("show", "tiny")
    stocked.ok("set", "tiny", "--")
    assert "After --" not in stocked.ok("show", "tiny")
    assert stocked.run("set", "--ctx", "256", "--", "tiny").returncode == 0


def test_a_build_without_an_option_is_named(stocked: Home) -> None:
    """The scripted llama-server has no LoRA; its help is the list."""
    assert "does not know the engine argument '--mlock'" in stocked.refused(
        "set", "tiny", "--engine-args", "--mlock"
    )
    listed = {row["names"][0]: row for row in json.loads(stocked.ok("engine", "options", "--json"))}
    assert not listed["--lora"]["is_supported"]
    assert listed["--flash-attn"]["is_supported"]
    assert listed["--pooling"]["choices"] == ["none", "mean", "cls", "last", "rank"]


def test_options_are_listed_for_an_engine(stocked: Home) -> None:
    """By a part of a name or of the meaning; without a match, the command says so."""
    listed = stocked.ok("engine", "options", "lora", "--engine", "embedded")
    assert "--lora-scaled" in listed
    assert "--temp" not in listed
    assert "--control-vector" in stocked.ok("engine", "options", "VECTOR")
    rows = json.loads(stocked.ok("engine", "options", "device", "--engine", "embedded", "--json"))
    assert {row["names"][0]: row["is_supported"] for row in rows}["--device"] is False
    assert "No engine option matches 'zzz'" in stocked.refused("engine", "options", "zzz")
    assert "does not exist" in stocked.refused("engine", "options", "--engine", "/nowhere/llama-server")


def test_a_command_takes_any_variable_and_no_other_option(stocked: Home) -> None:
    """The user chooses what it runs anyway; a server elsewhere has no environment here."""
    command = ("--command", "python3 -m http.server {port}")
    stocked.ok("add", *command, "--name", "cmd", "--env", "ANY_NAME=1")
    assert "Environment:  ANY_NAME=1" in stocked.ok("show", "cmd")
    stocked.ok("set", "cmd", "--env", "ANY_NAME=", "--env", "OTHER=a b")
    assert "Environment:  'OTHER=a b'" in stocked.ok("show", "cmd")
    for words in (("--kv-type", "q8_0"), ("--engine-args", "--threads 1"), ("--", "--x")):
        assert "is not served by llama.cpp" in stocked.refused("set", "cmd", *words)
    added = stocked.run("add", *command, "--name", "two", "--lora", "x")
    assert (added.returncode, "are for llama.cpp" in added.stderr) == (2, True)
