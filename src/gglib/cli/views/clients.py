"""Formats clients and their settings. Pure."""

from collections.abc import Iterator, Sequence

from gglib.app.clients.client import Client, Settings

COLUMNS = ("NAME", "CLIENT", "SPEAKS", "HOW", "TESTED")
DROPPABLE = ("TESTED", "HOW", "SPEAKS", "CLIENT")
API_NAMES = {
    "openai": "OpenAI",
    "responses": "OpenAI Responses",
    "anthropic": "Anthropic",
    "ollama": "Ollama",
}
NOT_RUN = "no"


def client_rows(clients: Sequence[Client]) -> list[list[str]]:
    """Return the rows of the table of clients."""
    return [
        [client.name, client.title, spoken(client), client.how, str(client.verified or NOT_RUN)]
        for client in clients
    ]


def client_fields(client: Client) -> dict[str, object]:
    """Return a client for JSON."""
    verified = client.verified
    return {
        "name": client.name,
        "title": client.title,
        "kind": client.kind.value,
        "speaks": list(client.speaks),
        "how": client.how,
        "executable": client.program and client.program.executable,
        "install": client.program and client.program.install,
        "verified": verified and {"version": verified.version, "date": verified.date},
    }


def spoken(client: Client) -> str:
    """Return the names of the APIs."""
    return ", ".join(API_NAMES[api] for api in client.speaks)


def settings_lines(settings: Settings) -> Iterator[str]:
    """Return the lines below the text of the settings."""
    if settings.note:
        yield settings.note
    if settings.start:
        yield f"Start it with: {settings.start}"
