"""The models of llama-swap's configuration."""

from pathlib import Path

import pytest

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.llama_swap.macros import Macros
from gglib.library.importers.configurations.llama_swap.models import Defaults, ReadModel, base_url, read_model
from gglib.library.importers.configurations.plan import HubModel, LocalFile, WantedModel

DIRECTORY = Path("/etc/swap")
SERVER = "llama-server --port ${PORT} -m m.gguf"


def read(fields: str, *, global_ttl_s: int = 0, start_timeout_s: int | None = None) -> ReadModel:
    """Return the model ``m`` of a flow mapping."""
    model = read_yaml(f"m: {{{fields}}}", "c.yaml").fields("m")
    defaults = Defaults(directory=DIRECTORY, ttl_s=global_ttl_s, start_timeout_s=start_timeout_s)
    return read_model("m", model, Macros({"ctx": "2048"}, {}), defaults)


def wanted(fields: str, *, global_ttl_s: int = 0) -> WantedModel:
    """Return the model, which can be imported."""
    model = read(fields, global_ttl_s=global_ttl_s).model
    assert model is not None
    return model


def reason(fields: str) -> str:
    """Return why the model cannot be imported."""
    found = read(fields)
    assert found.model is None
    return found.leftovers[-1].reason


def test_a_llama_server_with_a_file() -> None:
    """Address and port are dropped; file, context, environment and options are kept."""
    model = wanted(
        "cmd: 'env A=1 llama-server --host 0.0.0.0 --port ${PORT} -m m.gguf -c ${ctx} --temp 0.5', env: [B=x=y]"
    )
    assert model.served == LocalFile(Path("m.gguf"))
    assert model.settings.context == 2048
    assert model.settings.environment == (("A", "1"), ("B", "x=y"))
    assert model.options == (("--temp", "0.5"),)


def test_variables_of_llama_server_are_options() -> None:
    """The command line overrides them."""
    model = wanted(f"cmd: '{SERVER} -c 64', env: [LLAMA_ARG_CTX_SIZE=32, LLAMA_ARG_THREADS=2]")
    assert (model.settings.context, model.settings.environment) == (64, ())
    assert model.options == (("--threads", "2"),)


@pytest.mark.parametrize(
    ("ttl", "global_ttl_s", "idle_ttl_s"),
    [("", 0, None), ("", 60, 60.0), ("ttl: -1,", 60, 60.0), ("ttl: 0,", 60, None), ("ttl: 5,", 60, 5.0)],
)
def test_the_idle_time(ttl: str, global_ttl_s: int, idle_ttl_s: float | None) -> None:
    """-1 and nothing mean the global one, 0 never."""
    assert wanted(f"{ttl} cmd: '{SERVER}'", global_ttl_s=global_ttl_s).settings.idle_ttl_s == idle_ttl_s


def test_aliases_of_both_forms() -> None:
    """A mapping has an ``id``, and fields without a counterpart."""
    found = read(f"cmd: '{SERVER} --alias z', aliases: [x, {{id: y, name: Y}}, x]")
    assert found.model is not None
    assert found.model.aliases == ("x", "y", "z")
    assert [each.where for each in found.leftovers] == ["m.aliases[1].name"]


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ("name: A", "A"),
        ("description: B", "B"),
        ("name: A, description: 'B\n  c'", "A: B c"),
        ("description: ''", ""),
    ],
)
def test_the_description_is_one_line(fields: str, description: str) -> None:
    """It begins with the name for display."""
    assert wanted(f"cmd: '{SERVER}', {fields}").description == description


def test_a_reranker() -> None:
    """Its capability sets the kind; the others are read from the file."""
    found = read(f"cmd: '{SERVER}', capabilities: {{reranker: true, tools: true}}")
    assert found.model is not None
    assert found.model.settings.kind == "rerank"
    assert [each.where for each in found.leftovers] == ["m.capabilities.tools"]


def test_a_model_of_the_hub() -> None:
    """It is known by its repository."""
    assert wanted("cmd: 'llama-server --port ${PORT} -hf o/n:Q4_K_M'").served == HubModel("o/n:Q4_K_M")


def test_another_command() -> None:
    """It is kept word for word; braces are doubled, and the port is gglib's."""
    model = wanted("cmd: 'serve --at=:${PORT} --kwargs ''{\"a\":1}''', checkEndpoint: /ready, env: [A=1]")
    assert model.served == CommandBackend(
        argv=("serve", "--at=:{port}", "--kwargs", '{{"a":1}}'), health_path="/ready", directory=DIRECTORY
    )
    assert model.settings.environment == (("A", "1"),)


@pytest.mark.parametrize(
    ("capabilities", "routes"),
    [
        ("{}", ()),
        ("{in: [text], out: [text]}", ()),
        ("{in: [text, audio], out: [text]}", ()),
        ("{in: [audio], out: [text]}", ("/v1/audio/transcriptions", "/v1/audio/translations")),
        ("{in: [text], out: [audio]}", ("/v1/audio/speech",)),
        (
            "{in: [text, image], out: [image]}",
            ("/v1/images/generations", "/v1/images/edits", "/v1/images/variations"),
        ),
    ],
)
def test_the_paths_of_a_program(capabilities: str, routes: tuple[str, ...]) -> None:
    """What it takes and makes decides; a model of text has the paths of its kind."""
    found = read(f"cmd: 'serve ${{PORT}}', capabilities: {capabilities}")
    assert found.model is not None
    assert isinstance(found.model.served, CommandBackend)
    assert found.model.served.routes == routes
    assert found.leftovers == ()


def test_limits_and_the_name_of_a_program() -> None:
    """Requests at once, the time to become ready, and the model's name in the program."""
    fields = "cmd: 'serve ${PORT}', concurrencyLimit: 3, useModelName: own/name"
    (slow, quick) = (read(fields, start_timeout_s=number).model for number in (300, 5))
    assert slow is not None
    assert quick is not None
    assert isinstance(slow.served, CommandBackend)
    assert isinstance(quick.served, CommandBackend)
    assert (slow.served.slots, slow.served.model, slow.served.start_timeout_s) == (3, "own/name", 300.0)
    assert quick.served.start_timeout_s == 15.0


def test_a_limit_of_other_models_is_listed() -> None:
    """Of a file with the command that sets its slots."""
    (left,) = read(f"cmd: '{SERVER}', concurrencyLimit: 3").leftovers
    assert (left.where, left.instead) == (
        "m.concurrencyLimit",
        "\"gglib set --engine-args '--parallel 3' m\" sets its slots",
    )
    (left,) = read("cmd: 'true', proxy: 'http://box', concurrencyLimit: 3").leftovers
    assert left.instead is None


def test_without_a_health_check_any_path_serves() -> None:
    """``none`` means that llama-swap does not wait."""
    served = wanted("cmd: 'serve ${PORT}', checkEndpoint: none").served
    assert isinstance(served, CommandBackend)
    assert served.health_path == "/"


def test_a_url_of_another_machine() -> None:
    """The command only keeps llama-swap content."""
    assert wanted("cmd: 'true', proxy: 'https://box:8443/x/', useModelName: y").served == UrlBackend(
        base_url="https://box:8443/x/v1", model="y"
    )
    assert base_url("http://box") == "http://box/v1"


@pytest.mark.parametrize("proxy", ["http://localhost:9", "http://127.0.0.1:${PORT}", "http://[::1]:9"])
def test_a_url_of_this_machine_is_the_command(proxy: str) -> None:
    """The engine that is launched for the model is reached anyway."""
    assert isinstance(wanted(f"cmd: '{SERVER}', proxy: '{proxy}'").served, LocalFile)


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ("", "its command is empty"),
        ("cmd: '${nope}'", "the macro '${nope}' is not defined"),
        ("cmd: llama-server", "its llama-server has neither --model nor --hf-repo"),
        (
            "cmd: 'llama-server -m x --name ${PORT}'",
            "its llama-server needs '${PORT}' in another option than --port",
        ),
        ("cmd: serve --port 8000", "its command has no ${PORT}, and gglib chooses the port of a program"),
        ("cmd: 'serve ${PORT} ${PID}'", "its command has '${PID}', which gglib cannot replace"),
        ("cmd: x, proxy: nowhere", "its proxy 'nowhere' is not a URL"),
        ("cmd: x, proxy: 'http://[::1'", "its proxy 'http://[::1' is not a URL"),
    ],
)
def test_a_model_that_cannot_be_imported(fields: str, phrase: str) -> None:
    """The others are imported; the phrase says why this one is not."""
    assert reason(fields).startswith(phrase)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ("cmd: [a]", "c.yaml, line 1, column 10: 'm.cmd' must be a text, not a list."),
        (f"cmd: '{SERVER}', ttl: soon", "'m.ttl' must be a whole number of at least -1."),
        (f"cmd: '{SERVER}', env: [A]", "'m.env' must be a list of texts of the form NAME=value, not a list."),
        (f"cmd: '{SERVER}', aliases: [[x]]", "'m.aliases' must be a list of names, not a list."),
    ],
)
def test_another_type_is_refused(fields: str, sentence: str) -> None:
    """llama-swap would not start with such a file."""
    with pytest.raises(InvalidSettingError) as caught:
        read(fields)
    assert str(caught.value).endswith(sentence)
