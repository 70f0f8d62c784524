"""The settings and launches of every client."""

import json
import shlex
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from tests.support.golden import Golden

from gglib.app.clients.client import Client, ConfigFormat, Connection, Key, Kind, Launch, Places
from gglib.app.clients.editing import edited_text
from gglib.app.clients.entries import KEY_VARIABLE
from gglib.app.clients.table import CLIENTS, find_client
from gglib.core.errors import GglibError

URL = "http://127.0.0.1:8080"
PLACES = Places(home=Path("/home/ada"), environ={})
DIRECTORY = Path("/gglib/clients")
PLAIN = Connection(url=URL, model="coder", context=32768)
WITH_KEY = Connection(
    url=URL, model="coder", context=32768, key=Key(variable="GGLIB_CLIENT_KEY", name="alice")
)
ODD_NAME = """it's "odd"/x:y <model> ü"""
ODD = Connection(url=URL, model=ODD_NAME, context=32768)
PROGRAMS = [client for client in CLIENTS if client.program is not None]
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
each_program = pytest.mark.parametrize("client", PROGRAMS, ids=lambda client: client.name)


def launch_of(client: Client, connection: Connection) -> Launch:
    """Return the launch of a client that has a program."""
    assert client.program is not None
    return client.program.launch(connection, DIRECTORY)


def recorded(client: Client, connection: Connection) -> str:
    """Return the settings and the launch of a client as text."""
    settings = client.settings(connection, PLACES)
    lines = [f"where: {settings.where}", settings.text]
    lines += [f"file: {settings.file.path}"] if settings.file else []
    lines += [f"start: {settings.start}", f"note: {settings.note}"]
    if client.program is not None:
        launch = asdict(launch_of(client, connection))
        lines += [f"launch {name}: {value}" for name, value in launch.items() if name != "files"]
        lines += [f"launch file {file['path']}:\n{file['content']}" for file in launch["files"]]
    return "\n".join(lines)


@each_client
def test_settings_are_the_recorded_ones(client: Client, golden: Golden) -> None:
    """Without a key, and with one."""
    assert golden(recorded(client, PLAIN))
    assert golden(recorded(client, WITH_KEY))


@each_client
def test_each_client_gets_address_and_model(client: Client) -> None:
    """The text has both, unless the client lists the server's models by itself."""
    text = client.settings(PLAIN, PLACES).text
    assert URL in text
    assert "coder" in text or client.name.startswith("open-webui")


@each_client
def test_no_key_is_part_of_the_table(client: Client) -> None:
    """Where the server requires one, the settings name a variable or a placeholder, or say that it cannot be used."""
    settings = client.settings(WITH_KEY, PLACES)
    shown = f"{settings.text}\n{settings.start}\n{settings.note}"
    assert "GGLIB_CLIENT_KEY" in shown or "KEY_OF_alice" in shown or "no key" in shown
    plain = client.settings(PLAIN, PLACES)
    assert "KEY_OF" not in f"{plain.text}{plain.note}"
    assert "GGLIB_CLIENT_KEY" not in f"{plain.text}{plain.note}"


@each_client
def test_a_file_is_merged_into_an_empty_one_as_it_is_shown(client: Client) -> None:
    """What a user would paste is what ``--write`` writes."""
    settings = client.settings(PLAIN, PLACES)
    if settings.file is None:
        return
    written = edited_text("", settings.file)
    if settings.where == str(settings.file.path):
        assert written == f"{settings.text}\n"
    match settings.file.format:
        case ConfigFormat.JSON:
            json.loads(written)
        case ConfigFormat.TOML:
            tomllib.loads(written)
        case ConfigFormat.YAML:
            yaml.safe_load(written)


@each_program
def test_a_launch_sets_address_model_and_key(client: Client) -> None:
    """Somewhere in environment, arguments and files; the context too, except where a client takes none."""
    launch = launch_of(client, PLAIN)
    files = "\n".join(file.content for file in launch.files)
    shown = f"{dict(launch.environment)} {launch.arguments} {files}"
    assert URL in shown
    assert "coder" in shown
    assert launch.key_variables
    assert "32768" in shown or client.name == "llm"


@each_program
def test_files_of_launches_stay_in_their_directory(client: Client) -> None:
    """Their names differ by content, so that launches of two models at once do not disturb each other."""
    files, others = launch_of(client, PLAIN).files, launch_of(client, ODD).files
    assert all(file.path.is_relative_to(DIRECTORY) for file in files)
    for file, other in zip(files, others, strict=True):
        assert (file.content == other.content) == (file.path == other.path) or client.name == "llm"


@each_client
def test_any_model_name_gives_valid_texts(client: Client) -> None:
    """Quotes, slashes, colons, angle brackets and other scripts, in each format and in commands."""
    settings = client.settings(ODD, PLACES)
    if settings.file is not None:
        written = edited_text("", settings.file)
        assert edited_text(written, settings.file) == written
        load = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[settings.file.format]
        assert ODD_NAME in repr_of(load(written)) or client.name == "claude"
    elif client.kind is Kind.LIBRARY and settings.where == "in Python":
        compile(settings.text, "pasted", "exec")
    elif settings.where == "in a terminal":
        assert any(ODD_NAME in word for line in settings.text.splitlines() for word in words_of(line))
    if settings.start:
        assert shlex.split(settings.start)


def words_of(line: str) -> list[str]:
    """Return the words of a shell line, and the strings in JSON among them."""
    words = shlex.split(line)
    return words + [json.loads(word)["model"] for word in words if word.startswith("{")]


def repr_of(value: object) -> str:
    """Return all names and values in a structure, unescaped, one a line."""
    if isinstance(value, dict):
        return "\n".join(f"{name}\n{repr_of(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "\n".join(map(repr_of, value))
    return str(value)


def test_codex_overrides_are_toml() -> None:
    """Codex parses what follows ``-c name=`` as TOML."""
    arguments = launch_of(find_client("codex"), ODD).arguments
    assert arguments[::2] == ("-c",) * (len(arguments) // 2)
    values = tomllib.loads("\n".join(arguments[1::2]))
    assert values["model"] == ODD_NAME
    assert values["model_providers"]["gglib"]["base_url"] == f"{URL}/v1"
    assert values["model_providers"]["gglib"]["env_key"] == KEY_VARIABLE


def test_opencode_gets_its_configuration_in_a_variable() -> None:
    """It is JSON, with the key as a reference."""
    config = json.loads(launch_of(find_client("opencode"), ODD).environment["OPENCODE_CONFIG_CONTENT"])
    assert config["model"] == f"gglib/{ODD_NAME}"
    assert config["provider"]["gglib"]["options"]["apiKey"] == f"{{env:{KEY_VARIABLE}}}"
    assert config["provider"]["gglib"]["models"][ODD_NAME]["limit"] == {"context": 32768, "output": 8192}


def test_claude_code_loses_the_variables_of_other_services() -> None:
    """A key for Anthropic must not be sent to this server."""
    launch = launch_of(find_client("claude"), PLAIN)
    assert "ANTHROPIC_API_KEY" in launch.removed
    assert not launch.environment["ANTHROPIC_BASE_URL"].endswith("/v1")
    roles = {value for name, value in launch.environment.items() if name.endswith("_MODEL")}
    assert roles == {"coder"}


@pytest.mark.parametrize(
    ("name", "variable", "value", "path"),
    [
        ("claude", "CLAUDE_CONFIG_DIR", "/x", "/x/settings.json"),
        ("codex", "CODEX_HOME", "/x", "/x/gglib.config.toml"),
        ("opencode", "XDG_CONFIG_HOME", "/x", "/x/opencode/opencode.json"),
        ("opencode", "OPENCODE_CONFIG", "/x/my.json", "/x/my.json"),
        ("qwen", "QWEN_HOME", "/x", "/x/settings.json"),
        ("pi", "PI_CODING_AGENT_DIR", "/x", "/x/models.json"),
        ("cline", "CLINE_DATA_DIR", "/x", "/x/settings/providers.json"),
        ("cline", "CLINE_PROVIDER_SETTINGS_PATH", "/x/p.json", "/x/p.json"),
        ("continue", "CONTINUE_GLOBAL_DIR", "/x", "/x/config.yaml"),
        ("llm", "LLM_USER_PATH", "/x", "/x/extra-openai-models.yaml"),
        ("llm", "XDG_CONFIG_HOME", "/x", "/x/io.datasette.llm/extra-openai-models.yaml"),
        ("zed", "XDG_CONFIG_HOME", "/x", "/x/zed/settings.json"),
        ("zed", "XDG_CONFIG_HOME", "", "/home/ada/.config/zed/settings.json"),
    ],
)
def test_the_clients_own_variables_name_the_file(name: str, variable: str, value: str, path: str) -> None:
    """As the client itself reads them; an empty one is as none."""
    places = Places(home=Path("/home/ada"), environ={variable: value})
    file = find_client(name).settings(PLAIN, places).file
    assert file is not None
    assert file.path == Path(path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("llm", "/Users/ada/Library/Application Support/io.datasette.llm/extra-openai-models.yaml"),
        ("zed", "/Users/ada/.config/zed/settings.json"),
    ],
)
def test_places_of_macos(name: str, path: str) -> None:
    """The platform decides for llm, and Zed has one place."""
    places = Places(home=Path("/Users/ada"), environ={}, is_macos=True)
    file = find_client(name).settings(PLAIN, places).file
    assert file is not None
    assert file.path == Path(path)


def test_output_is_a_quarter_of_the_context() -> None:
    """At most what agents ask for, and never nothing."""
    limits = [Connection(url=URL, model="m", context=size).max_output for size in (1, 4096, 1_000_000)]
    assert limits == [1, 1024, 32_000]


def test_names_are_unique() -> None:
    """Also against the executables, by which clients are found as well."""
    names = [client.name for client in CLIENTS]
    others = [client.program.executable for client in PROGRAMS if client.program is not None]
    assert len(set(names)) == len(names)
    assert all(find_client(name).name == name for name in names)
    assert [find_client(name).name for name in others] == [client.name for client in PROGRAMS]


def test_every_program_was_run() -> None:
    """A launch that was never tried is not offered."""
    assert all(client.verified is not None for client in PROGRAMS)
    assert str(find_client("codex").verified) == "0.171.0 (2026-11-29)"
    assert {client.kind for client in PROGRAMS} == {Kind.PROGRAM}


def test_unknown_clients_are_refused_with_names() -> None:
    """A near name, or all; a client without a program names the other command."""
    with pytest.raises(GglibError, match=r"Did you mean openai-python or openai-node\?"):
        find_client("OpenAI")
    with pytest.raises(GglibError, match="Did you mean codex"):
        find_client("codx")
    with pytest.raises(GglibError, match="Known are claude, "):
        find_client("emacs")
    with pytest.raises(GglibError, match="gglib connect zed"):
        find_client("Zed", is_launched=True)
