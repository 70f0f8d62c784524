"""Prints the addresses of a server for other machines."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gglib.cli.terminal.streams import ignore_output_errors

if TYPE_CHECKING:
    from gglib.app.serving.server import Server
    from gglib.app.settings import Settings


def show_network_addresses(settings: "Settings", server: "Server") -> None:
    """Print the URLs for other machines, after the start of a server; nothing for one on loopback."""
    from gglib.cli.views import render

    lines = network_address_lines(settings, server)
    with ignore_output_errors():
        for line in lines:
            render.echo(line)


def network_address_lines(settings: "Settings", server: "Server") -> list[str]:
    """Return the lines that ``show_network_addresses`` prints."""
    from gglib.cli.views.addresses import Machine, address_lines
    from gglib.core.addresses import is_loopback
    from gglib.system.network_addresses import host_name, network_addresses

    if is_loopback(settings.host):
        return []
    return address_lines(
        settings.host,
        urlsplit(server.url).port or settings.port,
        Machine(addresses=network_addresses(), name=host_name()),
        allowed_hosts=settings.allowed_hosts,
        has_keys=bool(settings.api_keys),
        certificate_names=None if server.certificate is None else server.certificate.names,
    )
