"""Clients in tables and JSON."""

from gglib.app.clients.client import Settings
from gglib.app.clients.table import CLIENTS, find_client
from gglib.cli.views.clients import client_fields, client_rows, settings_lines


def test_the_table_says_what_was_run() -> None:
    """With the version and the day; a client that was not run says so."""
    rows = {row[0]: row for row in client_rows(CLIENTS)}
    assert rows["codex"] == [
        *("codex", "Codex", "OpenAI Responses", "arguments, or a profile", "0.171.0 (2026-11-29)")
    ]
    assert rows["vscode"][2:] == ["Ollama, OpenAI", "dialog", "no"]


def test_json_has_the_program_and_the_version() -> None:
    """None for a client that is not launched, and for one that was not run."""
    assert client_fields(find_client("llm")) == {
        "name": "llm",
        "title": "llm",
        "kind": "program",
        "speaks": ["openai"],
        "how": "extra-openai-models.yaml",
        "executable": "llm",
        "install": "pip install llm",
        "verified": {"version": "0.36", "date": "2026-11-29"},
    }
    fields = client_fields(find_client("cursor"))
    assert (fields["executable"], fields["install"], fields["verified"]) == (None, None, None)


def test_only_programs_are_launched() -> None:
    """The hint is a command."""
    assert find_client("cn").launch_command == "gglib launch continue"
    assert find_client("curl").launch_command is None


def test_lines_below_the_settings() -> None:
    """The limit, then the command."""
    assert list(settings_lines(Settings(where="", text="", note="N.", start="s"))) == [
        "N.",
        "Start it with: s",
    ]
    assert list(settings_lines(Settings(where="", text=""))) == []
