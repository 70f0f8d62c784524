"""The proxy is given what the user set."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gglib.app.server import _proxy_options, _runtime_config, running_server
from gglib.app.settings import SETTINGS, Settings
from gglib.core.errors import InvalidSettingError
from gglib.proxy import ProxyOptions, SchemaLimits
from gglib.runtime import RuntimeConfig

SHARED = sorted({spec.field for spec in SETTINGS} & set(asdict(ProxyOptions())))
"""Settings with an option of the same name."""
NAMES = {
    "allowed_engine_fields": "id_slot",
    "allowed_hosts": "box.lan",
    "cors_origins": "https://chat.example.com",
}
"""What may stand in settings that are lists."""


def another(name: str) -> Any:
    """Return a value of a setting that is not its default."""
    if name in NAMES:
        return (NAMES[name],)
    return {"alice": "alice-key"} if name == "api_keys" else getattr(ProxyOptions(), name) + 1


@pytest.mark.parametrize("name", SHARED)
def test_every_setting_reaches_the_option_of_its_name(name: str) -> None:
    """And no other option changes with it."""
    options = asdict(_proxy_options(Settings(home=Path("/"), **{name: another(name)})))
    changed = {key: value for key, value in options.items() if value != asdict(ProxyOptions())[key]}
    assert set(changed) == {name}
    assert type(changed[name])(another(name)) == changed[name]


def test_sizes_reach_the_proxy_in_bytes() -> None:
    """Settings are in MB and kB."""
    options = asdict(_proxy_options(Settings(home=Path("/"), max_body_mb=3, max_bodies_mb=5)))
    assert options["max_body_bytes"] == 3 * 1024 * 1024
    assert options["max_bodies_bytes"] == 5 * 1024 * 1024
    dear = _proxy_options(Settings(home=Path("/"), max_schema_kb=3, max_schema_cost=4))
    assert dear.schema_limits == SchemaLimits(max_bytes=3 * 1024, max_cost=4)
    assert _proxy_options(Settings(home=Path("/"))) == ProxyOptions()


def test_each_wait_reaches_the_runtime_under_one_name() -> None:
    """How long a swap is put off, how long a request waits in all: neither is taken for the other."""
    settings = Settings(home=Path("/"), swap_wait_s=1.5, model_wait_s=2.5, drain_s=4.5)
    config = _runtime_config(settings)
    assert (config.swap_wait_s, config.model_wait_s, config.drain_s) == (1.5, 2.5, 4.5)
    assert _runtime_config(Settings(home=Path("/"))) == RuntimeConfig()


def test_the_servers_own_key_is_one_more() -> None:
    """Beside the keys of the user the proxy accepts the one that the server made, under its reserved name."""
    settings = Settings(home=Path("/"), api_keys={"alice": "alice-key"})
    assert _proxy_options(settings, "made-key").api_keys == {"alice": "alice-key", "local": "made-key"}


def test_options_show_no_key() -> None:
    """What is logged of options or settings by accident has no key in it."""
    settings = Settings(home=Path("/"), api_keys={"alice": "alice-key"})
    assert "alice-key" not in repr(settings) + repr(_proxy_options(settings, "made-key"))
    assert "made-key" not in repr(_proxy_options(settings, "made-key"))


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
def test_who_listens_by_a_name_is_called_by_it(host: str, names: tuple[str, ...]) -> None:
    """The name in ``host`` needs not stand in ``allowed_hosts`` once more; what is no name is none."""
    settings = Settings(home=Path("/"), host=host, allowed_hosts=("other.lan",))
    assert _proxy_options(settings).allowed_hosts == ("other.lan", *names)


async def test_no_way_of_serving_is_open_by_accident() -> None:
    """Also a program that starts a server without our commands is refused, before anything is touched."""
    nothing: Any = None
    settings = Settings(home=Path("/"), host="192.168.1.5")
    with pytest.raises(InvalidSettingError, match="GGLIB_API_KEY"):
        async with running_server(settings, nothing, nothing):
            pytest.fail("it serves")
