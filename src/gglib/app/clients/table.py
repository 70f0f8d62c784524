"""The table of clients, and the search in it. Pure."""

from difflib import get_close_matches

from gglib.app.clients.agents import AGENTS
from gglib.app.clients.applications import APPLICATIONS
from gglib.app.clients.client import Client
from gglib.app.clients.libraries import LIBRARIES
from gglib.app.clients.tools import TOOLS
from gglib.core.errors import GglibError

CLIENTS: tuple[Client, ...] = (*AGENTS, *TOOLS, *APPLICATIONS, *LIBRARIES)
"""All clients: first those that ``gglib launch`` starts."""

LAUNCHED_NAMES = tuple(client.name for client in CLIENTS if client.program is not None)


def find_client(name: str, *, is_launched: bool = False) -> Client:
    """Return the client of a name, or of the name of its program. Raises ``GglibError``, which names similar ones.

    ``is_launched``: only clients that ``gglib launch`` starts.
    """
    clients = [client for client in CLIENTS if client.program is not None or not is_launched]
    for client in clients:
        if name.lower() in {client.name, client.program and client.program.executable}:
            return client
    names = [client.name for client in clients]
    begun = [known for known in names if known.startswith(f"{name.lower()}-")]
    close = begun or get_close_matches(name.lower(), names, n=1)
    what = f"Did you mean {' or '.join(close)}?" if close else f"Known are {', '.join(names)}."
    if is_launched and any(client.name == name.lower() for client in CLIENTS):
        raise GglibError(
            f"'{name}' is not a program for the terminal: 'gglib connect {name.lower()}' shows its settings."
        )
    raise GglibError(f"No client is called '{name}'. {what}")
