"""Comparison of a server's settings with newly loaded ones."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from gglib.app.settings import SETTINGS, Settings
from gglib.app.settings.changes import applicable, changes_between, shown_value
from gglib.app.settings.node_tables import NodeSetting
from gglib.core.api_keys import ApiKey
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.ports.reload import SettingChange

HOME = Path("/home-of-gglib")
RUNNING = Settings(home=HOME)


def test_equal_settings_have_no_changes() -> None:
    """Nothing is reported if nothing changed, whatever the warnings."""
    assert changes_between(RUNNING, Settings(home=HOME, warnings=("a warning",))) == ()


def test_each_change_has_its_values_and_whether_it_is_applied() -> None:
    """In the order of the documentation, under the names of config.toml."""
    loaded = Settings(home=HOME, allowed_hosts=("a.lan", "b.lan"), model_wait_s=7.5, port=9999)
    assert changes_between(RUNNING, loaded) == (
        SettingChange(setting="port", old="8080", new="9999", is_applied=False),
        SettingChange(setting="max_wait_s", old="600", new="7.5", is_applied=True),
        SettingChange(setting="allowed_hosts", old="", new="a.lan, b.lan", is_applied=True),
    )


def test_limits_of_models_are_shown_as_in_the_file() -> None:
    """A number or ``auto``, sizes with units, and lists by alias."""
    loaded = Settings(
        home=HOME,
        max_models=None,
        memory={"ram": 20_000_000_000},
        aliases={"fast": ("a", "b"), "code": ("c",)},
    )
    shown = [(change.setting, change.old, change.new) for change in changes_between(RUNNING, loaded)]
    assert shown == [
        ("max_models", "1", "auto"),
        ("memory", "", "ram = 20.0 GB"),
        ("aliases", "", "fast = a, b; code = c"),
    ]


def test_a_change_of_a_node_is_seen() -> None:
    """Also if its address stays."""
    node = NodeSetting(url="http://box:8080")
    other = replace(node, key_env="BOX_KEY", ca=Path("/box.pem"), is_drained=True)
    running, loaded = Settings(home=HOME, nodes={"box": node}), Settings(home=HOME, nodes={"box": other})
    (change,) = changes_between(running, loaded)
    assert (change.old, change.new) == (
        "box = http://box:8080",
        "box = http://box:8080 (key in BOX_KEY, ca /box.pem, drained)",
    )


def test_secrets_are_compared_and_not_shown() -> None:
    """A changed key, or its rights, is a change without values."""
    keys = (ApiKey.admin("SECRET-1"), ApiKey.admin("SECRET-2"), ApiKey(key="SECRET-2", models=("chat*",)))
    for before, after in pairwise(Settings(home=HOME, api_keys={"alice": key}) for key in keys):
        assert changes_between(before, after) == (
            SettingChange(setting="api_keys", old=None, new=None, is_applied=True),
        )


def test_a_server_keeps_what_needs_a_restart() -> None:
    """The other settings are the loaded ones."""
    loaded = Settings(home=Path("/other"), host="other.lan", port=1, engine=Path("/engine"), slots=9)
    assert applicable(RUNNING, loaded) == Settings(home=HOME, slots=9)


def test_the_settings_that_need_a_restart() -> None:
    """The socket, the engine and the log are opened at the start, and models preloaded."""
    assert {spec.key for spec in SETTINGS if not spec.is_live} == {
        "host",
        "port",
        "ollama_port",
        "tls_cert",
        "tls_key",
        "engine",
        "preload",
        "log_format",
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (UNLIMITED_CONTEXT, "max"),
        (0.5, "0.5"),
        (600.0, "600"),
        (Path("/a/b"), "/a/b"),
        ((), ""),
        (["a", 1.0], "a, 1"),
        ({"gpu0": 2.0, "ram": None}, "gpu0 = 2; ram = "),
    ],
)
def test_values_are_shown_as_a_user_writes_them(value: object, shown: str) -> None:
    """Without a type's name, and nothing for none."""
    assert shown_value(value) == shown
