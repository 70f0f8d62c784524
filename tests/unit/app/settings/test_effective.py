"""The effective settings, their sources, and what overrides a change."""

from pathlib import Path

import pytest

from gglib.app.settings import SETTINGS, Settings, load_settings
from gglib.app.settings.effective import (
    DEFAULT,
    effect_of_change,
    effective_setting,
    effective_settings,
    entry_value,
    given_option,
    overriding,
)
from gglib.cli.views.settings import footer, server_options, setting_rows

SECRET = "s3cret-of-alice"
SPECS = {spec.key: spec for spec in SETTINGS}
CONFIG = f"""
port = 1
slots = 2
engine = "embedded"
memory = {{ram = "20GiB"}}
[aliases]
fast = ["a", "b"]
[api_keys]
alice = "{SECRET}"
jobs = {{key = "another-key", models = ["chat*"], priority = "batch"}}
"""


def loaded(
    home: Path, *, environ: dict[str, str] | None = None, is_tolerant: bool = False, **options: object
) -> Settings:
    """Return the settings of a home with ``CONFIG``."""
    (home / "config.toml").write_text(CONFIG)
    (home / "config.toml").chmod(0o600)
    return load_settings({"home": str(home), **options}, environ or {}, is_tolerant=is_tolerant)


def test_each_setting_names_the_source_in_use_and_those_it_overrides(tmp_path: Path) -> None:
    """An option over a variable over the file over the default."""
    settings = loaded(tmp_path, environ={"GGLIB_PORT": "2", "GGLIB_SLOTS": "3", "GGLIB_CTX": "max"}, port="4")
    found = {setting.setting: setting for setting in effective_settings(settings)}
    assert list(found) == list(SPECS)
    sources = {
        name: (found[name].value, found[name].source, found[name].overrides)
        for name in ("port", "slots", "ctx")
    }
    assert sources == {
        "port": (4, "--port", ("GGLIB_PORT", "config.toml")),
        "slots": (3, "GGLIB_SLOTS", ("config.toml",)),
        "ctx": ("max", "GGLIB_CTX", ()),
    }
    assert (found["host"].source, found["engine"].value) == (DEFAULT, "embedded")
    rows = {name: rest for name, *rest in setting_rows(list(found.values()))}
    assert rows["port"] == ["4", "--port, over GGLIB_PORT and config.toml"]
    assert rows["preload"] == ["-", DEFAULT]
    assert rows["memory"] == ["ram = 21.5 GB", "config.toml"]
    assert found["memory"].value == {"ram": 20 * 1024**3}
    assert rows["aliases"] == ["fast = a, b", "config.toml"]


def test_an_invalid_source_is_none(tmp_path: Path) -> None:
    """What is ignored overrides nothing."""
    settings = loaded(tmp_path, environ={"GGLIB_PORT": "many"}, is_tolerant=True)
    port = effective_setting(SPECS["port"], settings)
    assert (port.value, port.source, port.overrides) == (1, "config.toml", ())


def test_keys_are_shown_by_name_only(tmp_path: Path) -> None:
    """In the value, in a row and in an entry."""
    settings = loaded(tmp_path)
    setting = effective_setting(SPECS["api_keys"], settings)
    assert setting.value == ["alice", "jobs"]
    entries = [
        entry_value(setting, settings, path)
        for path in (("api_keys", "alice"), ("api_keys", "jobs", "models"))
    ]
    no_limits = {"rpm": None, "tpm": None, "parallel": None}
    assert entries == [{"models": ["*"], "admin": True, "priority": None, **no_limits}, ["chat*"]]
    assert entry_value(setting, settings, ("api_keys", "jobs", "key")) is None
    assert entry_value(setting, settings, ("api_keys", "none", "models")) is None
    assert SECRET not in repr((setting, entries, setting_rows([setting])))


def test_entries_of_tables_are_found(tmp_path: Path) -> None:
    """None if they are not set."""
    settings = loaded(tmp_path)
    aliases, memory = (effective_setting(SPECS[key], settings) for key in ("aliases", "memory"))
    assert entry_value(aliases, settings, ("aliases", "fast")) == ["a", "b"]
    assert entry_value(aliases, settings, ("aliases", "none")) is None
    assert memory.shown_as_text(entry_value(memory, settings, ("memory", "ram"))) == "21.5 GB"
    assert memory.shown_as_text(entry_value(memory, settings, ("memory", "gpu0"))) == ""


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["gglib", "serve", "--port", "9000"], "--port 9000"),
        (["gglib", "serve", "--port=9000"], "--port 9000"),
        (["gglib", "serve", "--port"], "--port"),
        (["gglib", "serve", "--ollama-port", "9000"], None),
        ([], None),
    ],
)
def test_options_of_the_running_server_are_found(words: list[str], option: str | None) -> None:
    """In both spellings, with the value."""
    assert given_option(SPECS["port"], words) == option


def test_what_overrides_the_file_is_said() -> None:
    """The environment of the command, and the options of the server."""
    words = ["gglib", "serve", "--insecure", "--ctx", "4096"]
    assert overriding(SPECS["port"], {"GGLIB_PORT": ""}, words) == []
    assert overriding(SPECS["ctx"], {"GGLIB_CTX": "1"}, words) == [
        "GGLIB_CTX is set in the environment and overrides config.toml.",
        "The running server was started with --ctx, which overrides config.toml.",
    ]
    assert server_options(words) == ["--ctx 4096", "--insecure"]
    assert footer(server_options(words)) == [
        "The running server was started with --ctx 4096, --insecure, which it uses instead."
    ]
    assert footer([]) == []


def test_the_effect_on_a_running_server_depends_on_the_setting() -> None:
    """The command to restart it can be typed."""
    assert effect_of_change(SPECS["port"], is_running=False) is None
    assert (
        effect_of_change(SPECS["slots"], is_running=True) == "The running server applies it within seconds."
    )
    assert "after a restart: 'gglib stop --server'" in (
        effect_of_change(SPECS["port"], is_running=True) or ""
    )


def test_a_change_of_an_invalid_file_is_not_said_to_be_applied() -> None:
    """The server keeps its settings, all of them; without a server there is nothing to say."""
    said = effect_of_change(SPECS["slots"], is_running=True, problem="Oh no.") or ""
    assert said.startswith(
        "The running server does not apply it until config.toml is valid: 'gglib config edit'"
    )
    assert said.endswith("Oh no.")
    assert effect_of_change(SPECS["slots"], is_running=False, problem="Oh no.") is None


def test_a_setting_without_a_limit_is_shown_as_config_toml_has_it(tmp_path: Path) -> None:
    """Of ``auto`` and ``max`` the words, not the values that stand for them."""
    settings = loaded(tmp_path, max_models="auto", ctx="max")
    assert effective_setting(SPECS["max_models"], settings).value == "auto"
    assert effective_setting(SPECS["ctx"], settings).value == "max"


def test_a_setting_that_is_no_table_is_its_own_entry(tmp_path: Path) -> None:
    """Its path has one name."""
    settings = loaded(tmp_path)
    assert entry_value(effective_setting(SPECS["slots"], settings), settings, ("slots",)) == 2
