"""The URL that a server with these settings would have."""

from gglib.app.certificates.facts import client_url
from gglib.app.certificates.loading import read_certificate
from gglib.app.settings import Settings
from gglib.core.addresses import reachable_url


def configured_url(settings: Settings) -> str:
    """Return the URL for clients on this machine. Raises ``InvalidSettingError`` for an unusable certificate."""
    files = settings.certificate_files
    if files is None:
        return reachable_url(settings.host, settings.port)
    names = read_certificate(files).facts.names
    return client_url(reachable_url(settings.host, settings.port, scheme="https"), names)
