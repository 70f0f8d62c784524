"""The settings of a running server, for the HTTP API."""

from pathlib import Path

from gglib.app.settings import SETTINGS, load_settings
from gglib.app.settings.live_settings import LiveSettings

SECRET = "a-secret-of-this-test"


def test_settings_have_a_source_and_a_help_but_no_secret(tmp_path: Path) -> None:
    """In the order of the documentation; a reload shows other ones."""
    (tmp_path / "config.toml").write_text(f'port = 9000\n[api_keys]\nalice = "{SECRET}"\n', encoding="utf-8")
    current = load_settings({"home": str(tmp_path)}, {"GGLIB_PORT": "9001", "GGLIB_MEMORY": "2G"})
    live = LiveSettings(lambda: current)
    table = live.settings()
    assert table.path == str(tmp_path / "config.toml")
    assert [setting.setting for setting in table.settings] == [spec.key for spec in SETTINGS]
    by_name = {setting.setting: setting for setting in table.settings}
    port = by_name["port"]
    assert (port.value, port.shown, port.source, port.overrides) == (
        9001,
        "9001",
        "GGLIB_PORT",
        ("config.toml",),
    )
    assert by_name["api_keys"].value == ["alice"]
    assert all(setting.help for setting in table.settings)
    assert SECRET not in repr(table)
    current = load_settings({"home": str(tmp_path)}, {})
    assert next(one for one in live.settings().settings if one.setting == "port").value == 9000
