"""The settings of clients over HTTP: no secret, no path of the server's user."""

from pathlib import Path

from gglib.app.clients.client_settings import ClientTables
from gglib.app.clients.table import CLIENTS
from gglib.app.settings import load_settings
from gglib.core.models import ModelSummary
from gglib.core.ports.clients import ClientTable, ClientTarget

SECRET = "a-secret-of-this-test"
MODEL = ModelSummary(id=1, name="coder")


def table_of(
    home: Path, environ: dict[str, str], *, url: str | None = None, model: ModelSummary = MODEL
) -> ClientTable:
    """Return the table of a server with these settings."""
    settings = load_settings({"home": str(home)}, environ)
    tables = ClientTables(lambda: settings, lambda: "http://127.0.0.1:9")
    return tables.client_settings(ClientTarget(url=url, name="coder:precise", model=model, context=4096))


def test_every_client_is_listed(tmp_path: Path) -> None:
    """With the model, the context and the address; the kinds are those of the port."""
    table = table_of(tmp_path, {})
    assert (table.model, table.context, table.url, table.key) == (
        "coder:precise",
        4096,
        "http://127.0.0.1:9",
        None,
    )
    assert [client.name for client in table.clients] == [client.name for client in CLIENTS]
    by_name = {client.name: client for client in table.clients}
    codex, curl = by_name["codex"], by_name["curl"]
    assert codex.file is not None
    assert (codex.file.path, codex.file.format) == ("~/.codex/gglib.config.toml", "toml")
    assert (codex.kind, codex.launch, codex.where) == ("program", "gglib launch codex", codex.file.path)
    assert codex.verified is not None
    assert (curl.kind, curl.launch, curl.file, curl.start) == ("library", None, None, None)
    assert "coder:precise" in curl.text


def test_another_address_is_used_as_it_is(tmp_path: Path) -> None:
    """Without the slash that a page adds."""
    table = table_of(tmp_path, {}, url="https://box.example/")
    assert table.url == "https://box.example"
    assert all("127.0.0.1" not in client.text for client in table.clients)


def test_neither_keys_nor_paths_of_the_server_are_shown(tmp_path: Path) -> None:
    """A variable or a placeholder stands for the key; files are where each user has them."""
    environ = {"GGLIB_API_KEY": SECRET, "CLAUDE_CONFIG_DIR": "/srv/private", "HOME": "/srv/home"}
    table = table_of(tmp_path, environ)
    assert table.key is not None
    assert (table.key.variable, table.key.placeholder) == ("GGLIB_CLIENT_KEY", f"KEY_OF_{table.key.name}")
    shown = repr(table)
    assert table.key.variable in shown
    assert SECRET not in shown
    assert "/srv/" not in shown
    assert str(Path.home()) not in shown


def test_the_key_is_one_that_may_use_the_model(tmp_path: Path) -> None:
    """As ``gglib connect`` chooses it."""
    (tmp_path / "config.toml").write_text(
        f'[api_keys.bob]\nkey = "{SECRET}1"\nmodels = ["embed*"]\n'
        f'[api_keys.carol]\nkey = "{SECRET}2"\nmodels = ["coder"]\n'
    )
    table = table_of(tmp_path, {})
    assert table.key is not None
    assert table.key.name == "carol"
