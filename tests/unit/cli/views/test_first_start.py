"""What ``gglib up`` prints around its smoke test."""

from pathlib import Path

import pytest

from gglib.app.clients.client import Connection, Key, Places
from gglib.app.clients.table import CLIENTS
from gglib.cli.views.first_start import connect_lines, request_lines, running_lines, unapplied_options
from gglib.core.models import ModelCapabilities, ModelSummary

URL = "http://127.0.0.1:8080"
PLACES = Places(home=Path("/h"), environ={})
CHAT = ModelSummary(id=1, name="a model", capabilities=ModelCapabilities(chat=True))
EMBEDDER = ModelSummary(id=2, name="e", capabilities=ModelCapabilities(chat=False, embedding=True))


def steps(model: ModelSummary, key: Key | None = None) -> str:
    """Return the lines as one text."""
    connection = Connection(url=URL, model=model.name, context=8192, key=key)
    return "\n".join(request_lines(connection, model, PLACES, key_names=("alice",) if key else ()))


def test_one_request_can_be_pasted() -> None:
    """With the address and the name."""
    text = steps(CHAT)
    assert text.count("curl ") == 1
    assert f"{URL}/v1/chat/completions" in text
    assert "gglib run 'a model'" in text
    assert text.index("curl ") < text.index("gglib run")


def test_commands_connect_programs() -> None:
    """One line each; the programs that can be started are named."""
    connect, launch = connect_lines()
    assert connect.startswith(f"gglib connect  shows the settings of {len(CLIENTS)} programs")
    assert "claude, codex" in launch


def test_key_is_a_variable() -> None:
    """The line below names the key."""
    text = steps(CHAT, Key(variable="GGLIB_CLIENT_KEY", name="alice"))
    assert "Bearer $GGLIB_CLIENT_KEY" in text
    assert "$GGLIB_CLIENT_KEY stands for the access key 'alice'" in text


def test_model_that_does_not_chat_has_its_route() -> None:
    """A chat request would be an error."""
    text = steps(EMBEDDER)
    assert "POST /v1/embeddings" in text
    assert "chat/completions" not in text


@pytest.mark.parametrize(
    ("given", "unapplied"),
    [
        ({"port": None, "host": None, "insecure": None}, []),
        ({"port": "8080", "host": "127.0.0.1"}, []),
        ({"port": "0"}, []),
        ({"port": "9000"}, ["--port 9000"]),
        ({"host": "192.168.1.2"}, ["--host 192.168.1.2"]),
        ({"max_models": "auto", "insecure": True}, ["--max-models auto", "--insecure"]),
        ({"engine": "/a b"}, ["--engine '/a b'"]),
    ],
)
def test_options_that_the_running_server_lacks(
    given: dict[str, str | bool | None], unapplied: list[str]
) -> None:
    """As they are typed; the address is compared."""
    assert unapplied_options(given, URL) == unapplied


def test_running_server_is_named_with_its_models() -> None:
    """And which options are not applied, with the commands that apply them."""
    assert list(running_lines(URL, 7, ["a", "b"], [])) == [
        f"gglib is already running at {URL} (pid 7).",
        "In memory: a, b",
    ]
    assert "No model is loaded" in list(running_lines(URL, 7, [], []))[1]
    assert len(list(running_lines(URL, 7, None, []))) == 1
    (*_, last) = running_lines(URL, 7, [], ["--port 9000"])
    assert "'gglib stop --server' ends it, then 'gglib up --port 9000'" in last
