"""The precedence of sources of a setting, and the errors of wrong values."""

import json
import traceback
from dataclasses import replace
from pathlib import Path

import click
import pytest

from gglib.app.settings import (
    SETTINGS,
    Settings,
    load_settings,
    with_defaults,
)
from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.core.api_keys import ApiKey
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.errors import InvalidSettingError
from gglib.core.priority import Priority
from gglib.core.runtime.engine_choice import EMBEDDED, plugin_name


def configured(home: Path, text: str) -> dict[str, str]:
    """Write ``config.toml`` and return the environment that names its home."""
    (home / "config.toml").write_text(text, encoding="utf-8")
    return {"GGLIB_HOME": str(home)}


def test_unknown_variables_are_warned_of(tmp_path: Path) -> None:
    """A key in a variable of the wrong name protects nothing, so a warning is needed."""
    environ = {"GGLIB_API_KEYS": "long-enough-1", "GGLIB_PORT": "1", "GGLIB_CLIENT_KEY": "k", "PATH": "/bin"}
    settings = load_settings({"home": str(tmp_path)}, environ)
    (warning,) = settings.warnings
    assert "GGLIB_API_KEYS" in warning
    assert "GGLIB_API_KEY" in warning.removeprefix("Unknown environment variable GGLIB_API_KEYS")
    assert "long-enough-1" not in warning


def test_defaults_without_any_source(tmp_path: Path) -> None:
    """Without any source the built-in values apply, and the home is the platform's."""
    settings = load_settings({}, {})
    assert settings == Settings(home=settings.home)
    assert settings.home.is_absolute()
    assert settings.home.name == "gglib"


def test_precedence_of_sources(tmp_path: Path) -> None:
    """The command line beats the environment, which beats config.toml, which beats the built-in value."""
    environ = configured(tmp_path, 'port = 1001\nhost = "::1"\nslots = 2\n')
    environ |= {"GGLIB_PORT": "1002", "GGLIB_HOST": "127.0.0.2"}
    settings = load_settings({"port": "1003", "host": None}, environ)
    assert (settings.port, settings.host, settings.slots, settings.default_ctx) == (
        1003,
        "127.0.0.2",
        2,
        8192,
    )


def test_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """``GGLIB_PORT=`` leaves the setting to the sources below."""
    assert load_settings({}, {"GGLIB_HOME": str(tmp_path), "GGLIB_PORT": ""}).port == 8080


def test_option_home_overrides_the_variable(tmp_path: Path) -> None:
    """``--home`` decides which config.toml is read."""
    (tmp_path / "config.toml").write_text("slots = 3\n", encoding="utf-8")
    settings = load_settings({"home": tmp_path}, {"GGLIB_HOME": "/elsewhere"})
    assert (settings.home, settings.slots) == (tmp_path, 3)


@pytest.mark.parametrize("spelling", ["max", "MAX", " max "])
def test_max_context_is_the_trained_context(tmp_path: Path, spelling: str) -> None:
    """``max`` is a context larger than any model's, in any case."""
    assert load_settings({"ctx": spelling}, {}).default_ctx == UNLIMITED_CONTEXT


def test_embedded_engine_is_selected_by_its_name(tmp_path: Path) -> None:
    """``embedded`` is no path; a program of that name in this directory is ``./embedded``."""
    assert load_settings({"engine": "embedded"}, {}).engine == EMBEDDED
    assert load_settings({"engine": "./embedded"}, {}).engine == Path("embedded").absolute()


def test_an_engine_of_another_package_is_selected_by_its_name(tmp_path: Path) -> None:
    """``plugin:NAME`` is no path; a file of that name is ``./plugin:NAME``."""
    engine = load_settings({"engine": "plugin:mlx"}, {}).engine
    assert engine is not None
    assert (plugin_name(engine), str(engine)) == ("mlx", "plugin:mlx")
    for path in ("./plugin:mlx", "plugin:", "plugin:a/b", "embedded", "plugin"):
        other = load_settings({"engine": path}, {}).engine
        assert other is not None
        assert plugin_name(other) is None


def test_each_setting_can_be_set_from_each_source(tmp_path: Path) -> None:
    """A value has the same meaning in config.toml and in the environment."""
    raw: dict[str, object] = {
        "host": "0.0.0.0",  # noqa: S104 - only parsed
        "port": 1,
        "ollama_port": 2,
        "ctx": 2048,
        "engine": "/opt/llama-server",
        "engine_releases_url": "https://releases.example/llama.cpp/",
        "slots": 1,
        "max_models": "auto",
        "memory": {"ram": "20G", "gpu0": "512MiB"},
        "kv_keep": "512M",
        "kv_keep_over_restart": True,
        "max_body_mb": 1,
        "max_bodies_mb": 3,
        "heartbeat_s": 0,
        "max_wait_s": 1.5,
        "swap_wait_s": 2,
        "first_byte_s": 0,
        "chunk_gap_s": 0.5,
        "stalled_client_s": 0.5,
        "drain_s": 0,
        "insecure": True,
        "tls_cert": "box.crt",
        "tls_key": "/etc/box.key",
        "allowed_hosts": ["Box.lan", "[2001:DB8::1]", "box.lan"],
        "cors_origins": ["https://Chat.example.com", "http://box.lan:3000"],
        "allowed_engine_fields": ["id_slot", "lora"],
        "max_schema_cost": 9,
        "max_schema_kb": 9,
        "max_connections": 9,
        "history": False,
        "history_days": 9,
        "history_mb": 99,
        "log_level": "Debug",
        "log_format": "JSON",
        "preload": ["chat", "embed"],
        "default_model": "chat",
        "aliases": {"fast": "tiny"},
        "api_keys": {"alice": "alice-key==", "bob": "bob-key-1"},
        "record_bodies": ["key:alice", "model:qwen*"],
        "nodes": {"box": "box:8080", "tower": "https://tower"},
        "model_nodes": {"chat": "gpu*"},
        "pull_to_nodes": True,
        "cluster_address": "head:6379",
        "cluster_token_file": "token",
    }
    assert set(raw) == {spec.key for spec in SETTINGS}
    lines = [f"{key} = {as_toml(value)}" for key, value in raw.items()]
    from_file = load_settings({}, configured(tmp_path, "\n".join(lines)))
    (tmp_path / "config.toml").unlink()
    environ = {spec.env: as_variable(raw[spec.key]) for spec in SETTINGS} | {"GGLIB_HOME": str(tmp_path)}
    from_environment = load_settings({}, environ)
    assert replace(from_file, warnings=()) == from_environment
    assert from_file.allowed_hosts == ("box.lan", "2001:db8::1")
    assert (from_file.log_level, from_file.log_format) == ("debug", "json")
    assert from_file.memory == {"ram": 20 * 10**9, "gpu0": 512 * 2**20}
    assert from_file.explicit == {spec.field for spec in SETTINGS}
    built_in = Settings(home=tmp_path)
    assert all(getattr(from_file, spec.field) != getattr(built_in, spec.field) for spec in SETTINGS)


def as_toml(value: object) -> str:
    """Return a value as ``config.toml`` has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {as_toml(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def as_variable(value: object) -> str:
    """Return a value as the environment has it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("port", "70000"),
        ("port", "-1"),
        ("port", "http"),
        ("cluster_address", "box"),
        ("cluster_address", "box:6379?x"),
        ("cluster_address", "box:6379#x"),
        ("cluster_address", "http://box:6379"),
        ("ctx", "0"),
        ("ctx", "much"),
        ("host", "  "),
        ("engine_releases_url", "http://releases.example/x"),
        ("engine_releases_url", "https://u:p@releases.example/x"),
        ("slots", "0"),
        ("max_models", "0"),
        ("max_models", "65"),
        ("max_models", "all"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("memory", "20"),
        ("memory", "ram=20G,gpu0"),
        ("memory", "20G,ram=8G"),
        ("memory", "vram=20G"),
        ("memory", "gpu00=20G"),
        ("memory", "ram=0G"),
        ("memory", "20G,"),
        ("max_wait_s", "nan"),
        ("heartbeat_s", "-1"),
        ("first_byte_s", "-1"),
        ("chunk_gap_s", "soon"),
        ("insecure", "perhaps"),
        ("insecure", " "),
        ("allowed_hosts", "box.lan:8080"),
        ("allowed_hosts", "*"),
        ("allowed_hosts", "box.lan,"),
        ("cors_origins", "https://chat.example.com/"),
        ("cors_origins", "chat.example.com"),
        ("cors_origins", "nul"),
        ("cors_origins", "https://"),
        ("allowed_engine_fields", "a b"),
        ("max_connections", "0"),
        ("preload", "chat,"),
        ("default_model", " "),
    ],
)
def test_wrong_value_names_its_source(tmp_path: Path, key: str, wrong: str) -> None:
    """The sentence has the source, the value and the requirement."""
    spec = next(spec for spec in SETTINGS if spec.key == key)
    with pytest.raises(InvalidSettingError) as in_environment:
        load_settings({}, {spec.env: wrong, "GGLIB_HOME": str(tmp_path)})
    assert str(in_environment.value) == f"{spec.env} is {wrong!r}, but it must be {spec.expected}."
    with pytest.raises(InvalidSettingError, match=f"^--{key.replace('_', '-')} is "):
        load_settings({key: wrong}, {"GGLIB_HOME": str(tmp_path)})
    with pytest.raises(InvalidSettingError, match=r"config\.toml"):
        load_settings({}, configured(tmp_path, f'{key} = "{wrong}"'))


def test_an_alias_is_one_model_or_a_list(tmp_path: Path) -> None:
    """In order, without duplicates, in a table at the end of the file or in a variable."""
    content = 'port = 1\n[aliases]\nfast = ["qwen-4b", "tiny", "qwen-4b"]\n"gpt-*" = "coder"'
    expected = {"fast": ("qwen-4b", "tiny"), "gpt-*": ("coder",)}
    assert load_settings({}, configured(tmp_path, content)).aliases == expected
    environ = {"GGLIB_ALIASES": "fast = qwen-4b, tiny ;gpt-*=coder", "GGLIB_HOME": str(tmp_path)}
    assert load_settings({}, environ).aliases == expected


def test_an_invalid_alias_names_its_source(tmp_path: Path) -> None:
    """And the entry, with a valid form of the same source."""
    with pytest.raises(InvalidSettingError) as in_environment:
        load_settings({}, {"GGLIB_ALIASES": "code=coder; fast=", "GGLIB_HOME": str(tmp_path)})
    assert str(in_environment.value) == (
        "GGLIB_ALIASES has the alias 'fast' without a model: write it like fast=qwen-4b,smollm2; gpt-*=coder."
    )
    environ = configured(tmp_path, "[aliases]\nfast = 1")
    with pytest.raises(InvalidSettingError) as in_file:
        load_settings({}, environ)
    assert str(in_file.value) == (
        f"'aliases' in {tmp_path / 'config.toml'} has the alias 'fast' with 1, which is neither a name nor a list: "
        'write it like fast = ["qwen-4b", "smollm2"] or "gpt-*" = "coder".'
    )
    with pytest.raises(InvalidSettingError, match="but it must be a table of names of models"):
        load_settings({}, configured(tmp_path, 'aliases = ["a"]'))


def test_a_setting_inside_the_table_of_aliases_is_refused(tmp_path: Path) -> None:
    """In TOML it belongs to the table above it."""
    with pytest.raises(InvalidSettingError, match=r"inside \[aliases\], where it is an alias: move it above"):
        load_settings({}, configured(tmp_path, '[aliases]\nfast = "tiny"\nhost = "localhost"'))


@pytest.mark.parametrize(
    "line",
    [
        *("port = true", "port = 1.5", "port = [1]", "heartbeat_s = false", "host = 1", "insecure = 1"),
        *(
            "max_models = false",
            "memory = 20",
            "memory = {}",
            "memory = {ram = 20}",
            "memory = {disk = '20G'}",
        ),
        *("allowed_hosts = 1", "allowed_hosts = [1]", "allowed_hosts = [[]]", "cors_origins = {}"),
    ],
)
def test_value_of_another_type_is_refused(tmp_path: Path, line: str) -> None:
    """TOML's booleans, fractions and lists are no whole numbers, although True is an int in Python."""
    with pytest.raises(InvalidSettingError, match="must be"):
        load_settings({}, configured(tmp_path, line))


@pytest.mark.parametrize(
    ("max_models", "memory", "capacity", "manages_memory"),
    [
        (None, None, 1, False),
        ("4", None, 4, False),
        (" Auto ", None, 64, True),
        ("4", "20G", 4, True),
        (None, "20G", 1, True),
        ("auto", "20G", 64, True),
    ],
)
def test_auto_and_a_budget_manage_the_memory(
    tmp_path: Path, max_models: str | None, memory: str | None, capacity: int, *, manages_memory: bool
) -> None:
    """A number limits the models as well; one model is the default."""
    settings = load_settings({"home": tmp_path, "max_models": max_models, "memory": memory}, {})
    assert (settings.capacity, settings.manages_memory) == (capacity, manages_memory)
    assert settings.memory == ({} if memory is None else {"ram": 20 * 10**9})
    given = {"max_models": max_models, "memory": memory}
    assert settings.explicit == {name for name, value in given.items() if value is not None}


def test_memory_is_set_by_device(tmp_path: Path) -> None:
    """Text has the same sizes as a table."""
    table = load_settings({}, configured(tmp_path, 'memory = {ram = "20G", gpu1 = "8G"}'))
    text = load_settings({"home": tmp_path, "memory": " RAM = 20G , gpu1=8G"}, {})
    assert table.memory == text.memory == {"ram": 20 * 10**9, "gpu1": 8 * 10**9}


def test_unknown_key_is_refused_with_similar_names(tmp_path: Path) -> None:
    """A misspelt key is an error with suggestions, and not ignored."""
    with pytest.raises(InvalidSettingError, match=r"the unknown key 'prot': did you mean port"):
        load_settings({}, configured(tmp_path, "prot = 1"))
    with pytest.raises(InvalidSettingError, match=r"valid names are host, port, ollama_port, ctx"):
        load_settings({}, configured(tmp_path, "zzzzzz = 1"))


def test_invalid_toml_is_one_sentence(tmp_path: Path) -> None:
    """A broken config.toml is reported with its path and line."""
    with pytest.raises(InvalidSettingError, match=r"config\.toml is not valid TOML: .*line 1"):
        load_settings({}, configured(tmp_path, "port = = 1"))


@pytest.mark.parametrize("text", ["1", "true", "YES", " on "])
def test_switch_accepts_the_usual_words(text: str) -> None:
    """For on and for off."""
    assert load_settings({}, {"GGLIB_INSECURE": text}).insecure
    assert not load_settings({"insecure": False}, {"GGLIB_INSECURE": text}).insecure
    assert not any(load_settings({}, {"GGLIB_INSECURE": off}).insecure for off in ("0", "false", "No", "off"))


def test_star_is_an_origin_and_an_empty_list_is_none(tmp_path: Path) -> None:
    """``*`` needs no scheme; a list may be empty."""
    environ = configured(tmp_path, 'cors_origins = ["*"]\nallowed_hosts = []\n[api_keys]\n')
    settings = load_settings({}, environ)
    assert (settings.cors_origins, settings.allowed_hosts, settings.api_keys) == (("*",), (), {})


def test_keys_are_a_table_with_names(tmp_path: Path) -> None:
    """The environment's keys replace those of the file: no other key is accepted."""
    environ = configured(tmp_path, '[api_keys]\nalice = "alice-key"\nbob = "bob-key-1"\n')
    assert load_settings({}, environ).api_keys == {
        "alice": ApiKey.admin("alice-key"),
        "bob": ApiKey.admin("bob-key-1"),
    }
    environ["GGLIB_API_KEY"] = "carol-key"
    assert load_settings({}, environ).api_keys == {"key1": ApiKey.admin("carol-key")}


@pytest.mark.parametrize(
    "config",
    [
        'api_keys = "SECRET"',
        'api_keys = ["SECRET-key"]',
        '[api_keys]\nalice = ["SECRET-key"]',
        '[api_keys]\nalice = "SECRET key"',
        '[api_keys]\nSECRET-key = "alice"',
        '[api_keys]\n"SECRET key" = "SECRET-key"',
        '[api_keys]\nlocal = "SECRET-key"',
        '[api_keys]\na = "SECRET-key"\nb = "SECRET-key"',
        '[api_keys]\na = "SECRET-key',
        '[api_keys.a]\nkey = "SECRET key"',
        '[api_keys.a]\nkey = ["SECRET-key"]',
        '[api_keys.a]\nSECRET-key = "key"',
        '[api_keys.SECRET-key]\nkey = "alice"',
        '[api_keys.SECRET-key]\nkey = "SECRET-key"\nport = 1',
        '[api_keys.a]\nkey = "SECRET-key"\nmodels = "SECRET"',
        '[api_keys.a]\nkey = "SECRET-key"\nadmin = "SECRET"',
        '[api_keys.a]\nkey = "SECRET-key"\npriority = "SECRET"',
    ],
)
def test_no_error_shows_a_key(tmp_path: Path, config: str) -> None:
    """Neither the sentence nor the traceback of a wrong key contains a key."""
    with pytest.raises(InvalidSettingError) as refused:
        load_settings({}, configured(tmp_path, config))
    shown = "".join(traceback.format_exception(refused.value))
    assert "SECRET" not in shown
    assert str(tmp_path / "config.toml") in str(refused.value)


@pytest.mark.parametrize(
    "text", ["SECRET", "SECRET key 1", "a=SECRET", "SECRET-key,", ",", " ", "a=SECRET-k,a=SECRET-l"]
)
def test_no_error_shows_a_key_of_the_environment(text: str) -> None:
    """The variable is named, and the position in it, without its content; an invalid value never means no keys."""
    with pytest.raises(InvalidSettingError, match=r"^GGLIB_API_KEY cannot be used: .*key \d ") as refused:
        load_settings({}, {"GGLIB_API_KEY": text})
    assert "SECRET" not in "".join(traceback.format_exception(refused.value))


def test_settings_show_no_key() -> None:
    """A repr in a log or a traceback has no key in it."""
    settings = load_settings({}, {"GGLIB_API_KEY": "alice=SECRET-key"})
    assert settings.api_keys == {"alice": ApiKey.admin("SECRET-key")}
    assert "SECRET" not in repr(settings)


def test_setting_below_the_keys_table_is_no_key(tmp_path: Path) -> None:
    """In TOML lines after a table header belong to it: a misplaced setting is named, with the remedy."""
    with pytest.raises(InvalidSettingError, match=r"sets 'port' inside \[api_keys\].* move it above"):
        load_settings({}, configured(tmp_path, '[api_keys]\nalice = "alice-key"\nport = 1\n'))
    with pytest.raises(InvalidSettingError, match=r"sets 'port' inside a table of a key: move it above"):
        load_settings({}, configured(tmp_path, '[api_keys.alice]\nkey = "alice-key"\nport = 1\n'))


def test_key_may_be_a_table_with_rights(tmp_path: Path) -> None:
    """The old form is an admin key; a table has only the rights that it names."""
    text = '[api_keys]\nbob = "bob-key-1"\n'
    text += '[api_keys.alice]\nkey = "alice-key"\nmodels = ["chat*"]\npriority = "batch"\n'
    assert load_settings({}, configured(tmp_path, text)).api_keys == {
        "bob": ApiKey(key="bob-key-1", is_admin=True),
        "alice": ApiKey(key="alice-key", models=("chat*",), is_admin=False, priority=Priority.BATCH),
    }


@pytest.mark.parametrize(
    ("mode", "is_warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)]
)
def test_readable_file_with_keys_is_a_warning(tmp_path: Path, mode: int, *, is_warned: bool) -> None:
    """The warning names the file and the remedy; a file without keys has no secret."""
    environ = configured(tmp_path, '[api_keys]\nalice = "alice-key"\n')
    (tmp_path / "config.toml").chmod(mode)
    path = tmp_path / "config.toml"
    warning = f"{path} contains access keys and is readable by other users: run 'chmod 600 {path}'."
    assert load_settings({}, environ).warnings == ((warning,) if is_warned else ())
    (tmp_path / "config.toml").chmod(0o600)
    environ = configured(tmp_path, "port = 1\n")
    (tmp_path / "config.toml").chmod(mode)
    assert load_settings({}, environ).warnings == ()


def test_no_option_takes_a_key() -> None:
    """The process list would show it; ``--key-env`` takes the name of a variable, ``--key`` that of a key.

    ``--tls-key`` takes the path of a file.
    """
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        names = {"--key-env", "key_env", "--tls-key"} | (
            {"--key"} if name in {"requests", "usage"} else set()
        )
        assert not [option for option in options - names if "key" in option]


def test_variables_for_remote_servers_are_known(tmp_path: Path) -> None:
    """They are read by the commands, not by the settings."""
    environ = {
        "GGLIB_HOME": str(tmp_path),
        "GGLIB_REMOTE_KEY": "SECRET-key",
        "GGLIB_PLAIN_HTTP_HOSTS": "box",
    }
    assert load_settings({}, environ) == Settings(home=tmp_path)


def test_other_defaults_apply_where_no_source_sets_a_value(tmp_path: Path) -> None:
    """A value of the file stays, even if it equals the built-in default."""
    settings = load_settings({}, configured(tmp_path, "slots = 4"))
    changed = with_defaults(settings, {"slots": 9, "max_models": None})
    assert (changed.slots, changed.max_models) == (4, None)
    assert with_defaults(settings, {}) == settings


@pytest.mark.parametrize(
    ("config", "environ", "reasons"),
    [
        ("prot = 1", {}, ["the unknown key 'prot'"]),
        ("port = 'x", {}, ["is not valid TOML"]),
        ('port = "x"\nctx = 2048', {}, ["'port' in"]),
        ("ctx = 2048", {"GGLIB_PORT": "x"}, ["GGLIB_PORT is 'x'"]),
        ('port = "y"', {"GGLIB_PORT": "x"}, ["GGLIB_PORT is 'x'", "'port' in"]),
        ("ctx = 2048", {}, []),
    ],
)
def test_invalid_values_are_ignored_for_commands_that_inspect(
    tmp_path: Path, config: str, environ: dict[str, str], reasons: list[str]
) -> None:
    """A typo must not prevent 'gglib stop'; the valid values still count, except those of an unreadable file."""
    (tmp_path / "config.toml").write_text(config)
    settings = load_settings({"home": tmp_path}, environ, is_tolerant=True)
    assert len(settings.ignored) == len(reasons)
    assert all(reason in found for reason, found in zip(reasons, settings.ignored, strict=True))
    assert settings.port == Settings(home=tmp_path).port
    assert settings.default_ctx == (
        2048 if config.endswith("ctx = 2048") else Settings(home=tmp_path).default_ctx
    )


def test_invalid_option_is_refused_even_by_tolerant_commands(tmp_path: Path) -> None:
    """The user has just typed it."""
    with pytest.raises(InvalidSettingError, match="--port"):
        load_settings({"home": tmp_path, "port": "x"}, {}, is_tolerant=True)


def test_files_of_https(tmp_path: Path) -> None:
    """Relative paths are in the home; both files are needed."""
    assert load_settings({"home": tmp_path}, {}).certificate_files is None
    settings = load_settings({}, configured(tmp_path, 'tls_cert = "box.crt"\ntls_key = "/etc/box.key"'))
    files = settings.certificate_files
    assert files is not None
    assert (files.certificate, files.key) == (tmp_path / "box.crt", Path("/etc/box.key"))


@pytest.mark.parametrize(("given", "missing"), [("tls_cert", "tls_key"), ("tls_key", "tls_cert")])
def test_one_file_of_https_is_not_enough(tmp_path: Path, given: str, missing: str) -> None:
    """The sentence has the command that sets the other one."""
    settings = load_settings({"home": tmp_path, given: "~/box.pem"}, {})
    with pytest.raises(InvalidSettingError, match=f"{given} is set .* 'gglib config set {missing} FILE'"):
        _ = settings.certificate_files
