"""The user's settings reach the proxy."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from gglib.app.serving.configurations import proxy_options, runtime_config
from gglib.app.serving.server import running_server
from gglib.app.settings import SETTINGS, Settings
from gglib.core.api_keys import ApiKey
from gglib.core.errors import InvalidSettingError
from gglib.proxy import ProxyOptions, SchemaLimits
from gglib.runtime import RuntimeConfig

SHARED = sorted({spec.field for spec in SETTINGS} & set(asdict(ProxyOptions())))
"""Settings with an option of the same name."""
NAMES = {
    "allowed_engine_fields": "id_slot",
    "allowed_hosts": "box.lan",
    "cors_origins": "https://chat.example.com",
    "record_bodies": "key:alice",
}
"""What may stand in settings that are lists."""
ALICE = ApiKey(key="alice-key", models=("chat*",))


def another(name: str) -> Any:
    """Return a value of a setting that is not its default."""
    if name in NAMES:
        return (NAMES[name],)
    if name == "default_model":
        return "tiny"
    if name == "aliases":
        return {"fast": ("tiny",)}
    return {"alice": ALICE} if name == "api_keys" else getattr(ProxyOptions(), name) + 1


@pytest.mark.parametrize("name", SHARED)
def test_every_setting_reaches_the_option_of_its_name(name: str) -> None:
    """And no other option changes with it."""
    options = proxy_options(Settings(home=Path("/"), **{name: another(name)}))
    defaults = ProxyOptions()
    values = {option.name: getattr(options, option.name) for option in fields(options)}
    changed = {key: value for key, value in values.items() if value != getattr(defaults, key)}
    assert set(changed) == {name}
    assert type(changed[name])(another(name)) == changed[name]


def test_sizes_reach_the_proxy_in_bytes() -> None:
    """Settings are in MB and kB."""
    options = asdict(proxy_options(Settings(home=Path("/"), max_body_mb=3, max_bodies_mb=5)))
    assert options["max_body_bytes"] == 3 * 1024 * 1024
    assert options["max_bodies_bytes"] == 5 * 1024 * 1024
    dear = proxy_options(Settings(home=Path("/"), max_schema_kb=3, max_schema_cost=4))
    assert dear.schema_limits == SchemaLimits(max_bytes=3 * 1024, max_cost=4)
    assert proxy_options(Settings(home=Path("/"))) == ProxyOptions()


def test_each_wait_reaches_the_runtime_under_one_name() -> None:
    """The postponement of a swap and the total wait of a request are separate options."""
    settings = Settings(home=Path("/"), swap_wait_s=1.5, model_wait_s=2.5, drain_s=4.5)
    config = runtime_config(settings, {})
    assert (config.swap_wait_s, config.model_wait_s, config.drain_s) == (1.5, 2.5, 4.5)
    assert runtime_config(Settings(home=Path("/")), {}) == RuntimeConfig()


def test_key_of_the_server_is_added() -> None:
    """Beside the user's keys the proxy accepts the server's generated key, under its reserved name."""
    settings = Settings(home=Path("/"), api_keys={"alice": ALICE})
    assert proxy_options(settings, "made-key").api_keys == {
        "alice": ALICE,
        "local": ApiKey.admin("made-key"),
    }


def test_options_show_no_key() -> None:
    """Options or settings that are logged by accident contain no key."""
    settings = Settings(home=Path("/"), api_keys={"alice": ALICE})
    assert "alice-key" not in repr(settings) + repr(proxy_options(settings, "made-key"))
    assert "made-key" not in repr(proxy_options(settings, "made-key"))


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", ()),
        ("localhost", ()),
        ("::1", ()),
        ("box.lan", ("box.lan",)),
        ("192.168.1.5", ("192.168.1.5",)),
        ("fe80::1%eth0", ()),
        ("no name", ()),
    ],
)
def test_name_of_the_listener_is_an_allowed_host(host: str, names: tuple[str, ...]) -> None:
    """The name in ``host`` need not be repeated in ``allowed_hosts``; an address is not a name."""
    settings = Settings(home=Path("/"), host=host, allowed_hosts=("other.lan",))
    assert proxy_options(settings).allowed_hosts == ("other.lan", *names)


async def test_no_way_of_serving_is_open_by_accident() -> None:
    """A program that starts a server without gglib's commands is refused too, before any change."""
    nothing: Any = None
    settings = Settings(home=Path("/"), host="192.168.1.5")
    with pytest.raises(InvalidSettingError, match="gglib key new"):
        async with running_server(settings, nothing, nothing):
            pytest.fail("it serves")
