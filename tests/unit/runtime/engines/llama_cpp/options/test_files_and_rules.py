"""The files that arguments name, and combinations that the engine would refuse."""

from pathlib import Path

import pytest

from gglib.core.errors import EngineArgumentError
from gglib.core.models import GgufFacts
from gglib.runtime.engines.llama_cpp.environment import check_environment
from gglib.runtime.engines.llama_cpp.options.csv_lists import join_csv, split_csv
from gglib.runtime.engines.llama_cpp.options.files import (
    added_files,
    check_files,
    draft_model,
    with_absolute_files,
)
from gglib.runtime.engines.llama_cpp.options.rules import check_combinations, check_for_model


@pytest.mark.parametrize("items", [["a"], ["a b", "c"], ["a,b", 'c"d', "e"], ["/x:y/z.gguf"]])
def test_lists_survive(items: list[str]) -> None:
    """Commas and quotes in a name are quoted."""
    assert split_csv(join_csv(items)) == items


def test_paths_become_absolute(tmp_path: Path) -> None:
    """Of single files, lists and scaled lists; other arguments stay as they are."""
    words = ("--lora", "a,b", "--lora-scaled=c:0.5", "--grammar-file", "/g", "--no-warmup", "--temp", "1")
    assert with_absolute_files(words, tmp_path) == (
        *("--lora", f"{tmp_path}/a,{tmp_path}/b", "--lora-scaled", f"{tmp_path}/c:0.5"),
        *("--grammar-file", "/g", "--no-warmup", "--temp", "1"),
    )
    untouched = ("--temp=1", "-np", "2")
    assert with_absolute_files(untouched, tmp_path) == untouched


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The shell does not expand it inside of quotes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert with_absolute_files(("--lora", "~/a"), Path("/x")) == ("--lora", f"{tmp_path}/a")


def test_files_of_a_load() -> None:
    """Adapters and control vectors are part of the model, a draft model is one of its own."""
    words = [
        "--lora",
        "/a",
        "--control-vector-scaled",
        "/v:1",
        "--model-draft",
        "/d",
        "--chat-template-file",
        "/t",
    ]
    assert added_files(words) == (Path("/a"), Path("/v"))
    assert draft_model(words) == Path("/d")
    assert draft_model([]) is None


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A directory is no file."""
    (tmp_path / "a").touch()
    check_files(["--lora", str(tmp_path / "a")])
    with pytest.raises(EngineArgumentError, match=r"/b' of '--lora' does not exist"):
        check_files(["--lora", f"{tmp_path / 'a'},{tmp_path / 'b'}"])
    with pytest.raises(EngineArgumentError, match=r"of '--model-draft' is a directory"):
        check_files(["-md", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--cache-type-v q8_0 --flash-attn off", "needs flash attention"),
        ("-ctv q4_0 -fa off", "needs flash attention"),
        ("--chat-template chatml --chat-template-file /t", "exclude each other"),
        ("--spec-type draft-simple", "needs a draft model"),
        ("--reasoning-budget-message x", "needs '--reasoning-budget N'"),
    ],
)
def test_combinations_that_fail_a_load_are_refused(arguments: str, reason: str) -> None:
    """With what to change."""
    with pytest.raises(EngineArgumentError, match=reason):
        check_combinations(arguments.split())


@pytest.mark.parametrize(
    "arguments",
    ["-ctv q8_0", "-ctv q8_0 -fa on", "-ctk q8_0 -fa off", "-ctv bf16 -fa off", "--spec-type ngram-mod"],
)
def test_other_combinations_are_accepted(arguments: str) -> None:
    """The engine switches flash attention on by itself, and keys may be quantized without it."""
    check_combinations(arguments.split())


def test_a_quantized_cache_needs_heads_of_whole_blocks() -> None:
    """By the header: the length of keys and values, else the width for each head."""
    small = GgufFacts(architecture="llama", embedding_length=64, head_count=4)
    with pytest.raises(
        EngineArgumentError, match="heads of a multiple of 32 elements, but this model's have 16"
    ):
        check_for_model(["-ctk", "q8_0"], small)
    check_for_model(["-ctk", "bf16"], small)
    check_for_model(["-ctk", "q8_0"], GgufFacts(architecture="llama", embedding_length=64, head_count=2))
    check_for_model(["-ctk", "q8_0"], GgufFacts(architecture="llama"))
    mixed = GgufFacts(architecture="llama", key_length=64, value_length=80)
    check_for_model(["-ctk", "q8_0"], mixed)
    with pytest.raises(EngineArgumentError, match="have 80"):
        check_for_model(["-ctv", "q8_0"], mixed)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LD_PRELOAD", "load other libraries"),
        ("GGML_BACKEND_PATH", "load another library"),
        ("LLAMA_ARG_HOST", "use '--engine-args'"),
        ("PYTHONPATH", "run other code"),
        ("HOME", "only GGML_"),
        ("GGML_LOG_LEVEL", "the engine's log"),
        ("A=B", "no name"),
        ("", "no name"),
    ],
)
def test_other_variables_are_refused(name: str, reason: str) -> None:
    """With the reason."""
    with pytest.raises(EngineArgumentError, match=reason):
        check_environment([(name, "1")])


def test_variables_of_devices_and_threads_are_accepted() -> None:
    """With a value of one line."""
    check_environment(
        [("CUDA_VISIBLE_DEVICES", "0,1"), ("GGML_CUDA_ENABLE_UNIFIED_MEMORY", "1"), ("OMP_PLACES", "")]
    )
    with pytest.raises(EngineArgumentError, match="one line"):
        check_environment([("OMP_PLACES", "a\nb")])
