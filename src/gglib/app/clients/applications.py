"""Applications with a dialog or a file of settings. Pure."""

from pathlib import Path

from gglib.app.clients.client import (
    Client,
    ConfigFile,
    ConfigFormat,
    Connection,
    Kind,
    Places,
    Settings,
    Verified,
)
from gglib.app.clients.entries import PROVIDER, config_settings


def _dialog(where: str, note: str = "", **fields: str | int) -> Settings:
    """Return the fields of a dialog; ``_`` in their names is a space."""
    text = "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in fields.items())
    return Settings(where=where, text=text, note=note)


def _open_webui(connection: Connection, places: Places) -> Settings:
    del places
    where = "Admin Settings > Connections > OpenAI API > +"
    return _dialog(where, URL=connection.base, Key=connection.pasted_key)


def _open_webui_ollama(connection: Connection, places: Places) -> Settings:
    del places
    where = "Admin Settings > Connections > Ollama API > +"
    return _dialog(where, URL=connection.url, Key=connection.pasted_key)


def _cline_editor(connection: Connection, places: Places) -> Settings:
    del places
    return _dialog(
        "Settings > API Configuration",
        API_Provider="OpenAI Compatible",
        Base_URL=connection.base,
        API_Key=connection.pasted_key,
        Model_ID=connection.model,
        Context_Window_Size=connection.context,
    )


def _zed(connection: Connection, places: Places) -> Settings:
    """Return the provider. Zed keeps the key in the system's keychain, and asks for it."""
    model = {
        "name": connection.model,
        "display_name": connection.model,
        "max_tokens": connection.context,
        "max_output_tokens": connection.max_output,
    }
    provider = {"api_url": connection.base, "available_models": [model]}
    file = ConfigFile(
        path=_zed_directory(places) / "settings.json",
        format=ConfigFormat.JSON,
        values={"language_models": {"openai_compatible": {PROVIDER: provider}}},
        identity=("name",),
    )
    note = f"Zed asks for the key in its own dialog: {connection.pasted_key}."
    return config_settings(file, note=note)


def _zed_directory(places: Places) -> Path:
    """Return Zed's directory, which is ``~/.config/zed`` on macOS, too."""
    return (places.home / ".config" if places.is_macos else places.config) / "zed"


def _vscode(connection: Connection, places: Places) -> Settings:
    del places
    note = "" if connection.key is None else "It sends no key: connect it to a gglib without keys."
    return _dialog("Chat > Manage Models > Ollama", note, URL=connection.url, Model=connection.model)


def _jetbrains(connection: Connection, places: Places) -> Settings:
    del places
    return _dialog(
        "Settings > Tools > AI Assistant > Models",
        Provider="OpenAI-compatible",
        URL=connection.base,
        API_Key=connection.pasted_key,
        Core_features=connection.model,
    )


def _cursor(connection: Connection, places: Places) -> Settings:
    del places
    return _dialog(
        "Cursor Settings > Models > API Keys",
        "Cursor's servers send the requests: the address has to be reachable from the internet, and needs a key.",
        OpenAI_API_Key=connection.pasted_key,
        Override_OpenAI_Base_URL=connection.base,
        Custom_model=connection.model,
    )


APPLICATIONS = (
    Client(
        name="open-webui",
        title="Open WebUI",
        kind=Kind.APPLICATION,
        speaks=("openai",),
        how="dialog",
        settings=_open_webui,
        verified=Verified(version="0.12.4", date="2026-11-29"),
    ),
    Client(
        name="open-webui-ollama",
        title="Open WebUI, as Ollama",
        kind=Kind.APPLICATION,
        speaks=("ollama",),
        how="dialog",
        settings=_open_webui_ollama,
        verified=Verified(version="0.12.4", date="2026-11-29"),
    ),
    Client(
        name="cline-editor",
        title="Cline",
        kind=Kind.APPLICATION,
        speaks=("openai",),
        how="dialog of the editor's extension",
        settings=_cline_editor,
    ),
    Client(
        name="zed",
        title="Zed",
        kind=Kind.APPLICATION,
        speaks=("openai",),
        how="settings.json",
        settings=_zed,
    ),
    Client(
        name="vscode",
        title="VS Code Copilot Chat",
        kind=Kind.APPLICATION,
        speaks=("ollama", "openai"),
        how="dialog",
        settings=_vscode,
    ),
    Client(
        name="jetbrains",
        title="JetBrains AI Assistant",
        kind=Kind.APPLICATION,
        speaks=("openai",),
        how="dialog",
        settings=_jetbrains,
    ),
    Client(
        name="cursor",
        title="Cursor",
        kind=Kind.APPLICATION,
        speaks=("openai",),
        how="dialog",
        settings=_cursor,
    ),
)
