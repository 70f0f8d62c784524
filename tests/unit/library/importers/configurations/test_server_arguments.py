"""The options of llama-server."""

from pathlib import Path

import pytest

from gglib.core.context import UNLIMITED_CONTEXT
from gglib.library.importers.configurations.plan import HubModel, LocalFile
from gglib.library.importers.configurations.server_arguments import (
    Option,
    ServerUse,
    options_of_arguments,
    options_of_keys,
    split_environment,
    use_of,
)


def use(line: str) -> ServerUse:
    """Return what a command line means."""
    return use_of(options_of_arguments(line.split()), "m.cmd")


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("-m a.gguf --jinja -c 5", [("-m", "a.gguf"), ("--jinja", None), ("-c", "5")]),
        ("--temp=0.5 --new=x=y", [("--temp", "0.5"), ("--new", "x=y")]),
        ("--predict -1 --rope -.5", [("--predict", "-1"), ("--rope", "-.5")]),
        ("--new --other", [("--new", None), ("--other", None)]),
        ("--mlock x", [("--mlock", None), ("x", None)]),
        ("--new -", [("--new", "-")]),
        ("", []),
    ],
)
def test_options_of_a_command_line(line: str, options: list[Option]) -> None:
    """A negative number is a value; a switch takes none."""
    assert list(options_of_arguments(line.split())) == options


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ({"c": "5", "ctx-size": "6"}, [("-c", "5"), ("--ctx-size", "6")]),
        ({"LLAMA_ARG_CTX_SIZE": "5"}, [("--ctx-size", "5")]),
        ({"mlock": "1", "swa-full": "off"}, [("--mlock", None)]),
        ({"mmap": "0"}, [("--no-mmap", None)]),
        ({"no-mmap": "false"}, [("--mmap", None)]),
        ({"flash-attn": "1"}, [("--flash-attn", "1")]),
        ({"new-switch": "true", "new-value": "1"}, [("--new-switch", None), ("--new-value", "1")]),
        ({"load-on-startup": "true"}, [("--load-on-startup", None)]),
    ],
)
def test_options_of_a_preset(keys: dict[str, str], options: list[Option]) -> None:
    """Switches are on or off; names may be short ones or environment variables."""
    assert list(options_of_keys(keys)) == options


def test_variables_of_the_environment() -> None:
    """Those of llama-server become options."""
    variables = [("CUDA_VISIBLE_DEVICES", "0"), ("LLAMA_ARG_N_PARALLEL", "2"), ("HF_TOKEN", "secret")]
    options, others = split_environment(variables)
    assert options == [("--parallel", "2"), ("--hf-token", "secret")]
    assert others == (("CUDA_VISIBLE_DEVICES", "0"),)
    assert "secret" not in repr(use_of(options, "m.env"))


def test_a_file_with_its_projector() -> None:
    """Or without the one in its directory."""
    assert use("-m a.gguf --mmproj p.gguf").file == LocalFile(Path("a.gguf"), Path("p.gguf"))
    assert use("-m a.gguf --no-mmproj").file == LocalFile(Path("a.gguf"), None, has_projector=False)
    assert use("--temp 1").file is None


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("-hf o/n", "o/n"),
        ("-hf o/n:Q4_K_M", "o/n:Q4_K_M"),
        ("--hf-repo o/n:Q4 --hf-file d/f.gguf", "o/n/d/f.gguf"),
        ("-mu https://h/f.gguf", "https://h/f.gguf"),
        ("-m local.gguf -hf o/n", "o/n"),
    ],
)
def test_a_model_of_the_hub(line: str, target: str) -> None:
    """The argument of ``gglib pull``; with a repository, ``-m`` is only where llama-server stores the download."""
    assert use(line).hub == HubModel(target)


@pytest.mark.parametrize(
    ("line", "context"),
    [
        ("", None),
        ("-c 4096", 4096),
        ("-c 4096 -c 1024", 1024),
        ("-c 0", UNLIMITED_CONTEXT),
        ("-c 8192 -np 4", 2048),
        ("-np 4 -c 8192 --kv-unified", 8192),
        ("-c 8192 -np 1", 8192),
        ("-c 8192 -np -1", 8192),
        ("-c 0 -np 4", UNLIMITED_CONTEXT),
        ("-np 4", None),
        ("-c 2 -np 4", 1),
    ],
)
def test_the_context_is_that_of_one_request(line: str, context: int | None) -> None:
    """llama-server divides its context among the slots, unless they share it."""
    assert use(line).context == context


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("--embedding", "embedding"),
        ("--rerank --embedding", "rerank"),
        ("--embeddings --reranking", "rerank"),
        ("", None),
    ],
)
def test_the_kind(line: str, kind: str | None) -> None:
    """A reranker is launched with both options."""
    assert use(line).kind == kind


def test_aliases_and_idle_time() -> None:
    """Names are separated by commas; -1 means never."""
    assert use("--alias a,b,, -a c").aliases == ("a", "b", "c")
    assert use("--sleep-idle-seconds 60").idle_ttl_s == 60.0
    assert use("--sleep-idle-seconds -1").idle_ttl_s is None


def test_what_gglib_sets_itself_is_dropped() -> None:
    """The address, the port, and what is on anyway."""
    found = use("--host 0.0.0.0 --port 8080 --jinja --metrics --no-webui --mmap -v --threads-http 4")
    assert found == ServerUse()


@pytest.mark.parametrize(
    ("line", "value"), [("-fa", "on"), ("-fa 1", "on"), ("-fa off", "off"), ("-fa auto", "auto")]
)
def test_flash_attention_has_one_form(line: str, value: str) -> None:
    """It was a switch once, and takes several words."""
    assert use(line).options == (("-fa", value),)


@pytest.mark.parametrize(
    ("line", "where", "reason"),
    [
        ("-c much", "m.cmd -c", "'much' is not a whole number"),
        ("-c -5", "m.cmd -c", "'-5' is not a number of tokens"),
        ("--model", "m.cmd --model", "it has no value"),
        ("--api-key sk-1", "m.cmd --api-key", "keys are never copied from another program"),
    ],
)
def test_what_cannot_be_imported_is_listed(line: str, where: str, reason: str) -> None:
    """With its place, and never with a secret."""
    (left,) = use(line).leftovers
    assert (left.where, left.reason) == (where, reason)
    assert "sk-1" not in repr(left)
