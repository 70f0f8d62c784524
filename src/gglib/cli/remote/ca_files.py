"""Checks files with trusted certificates (``--ca``) before a command uses them."""

from gglib.cli.context import absolute_path
from gglib.core.errors import InvalidSettingError
from gglib.http.client.tls import CaFileError, ca_context


def checked_ca_file(text: str, *, source: str) -> str:
    """Return the absolute path of a PEM file with certificates. Raises ``InvalidSettingError``, with ``source``."""
    path = absolute_path(text)
    try:
        ca_context(path)
    except CaFileError as error:
        raise InvalidSettingError(
            f"{source} cannot be used, as {error}: name the PEM file with the certificate of the server or of its "
            "authority."
        ) from None
    return path
