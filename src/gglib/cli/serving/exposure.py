"""Warns of a server that other machines can use without a key, or without encryption."""

from typing import TYPE_CHECKING

import click

from gglib.cli.terminal.streams import ignore_output_errors
from gglib.core.plain_text import escape_line

if TYPE_CHECKING:
    from gglib.app.settings import Settings


def exposure_warnings(settings: "Settings") -> list[str]:
    """Return a sentence if other machines can use this server without a key, and one if they use plain HTTP."""
    from gglib.app.serving.exposure import Exposure, exposure_of, plaintext_warning

    exposure = exposure_of(settings.host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)
    insecure = f"INSECURE: anyone who can reach {settings.host} can use your models without an access key."
    plaintext = plaintext_warning(settings.host, has_tls=settings.certificate_files is not None)
    return [
        *([insecure] if exposure is Exposure.INSECURE else []),
        *([plaintext] if plaintext is not None else []),
    ]


def warn_if_exposed(settings: "Settings") -> None:
    """Print the warnings of this server, if it has any."""
    warnings = exposure_warnings(settings)
    if warnings:
        bar = "!" * 80
        for line in (bar, *warnings, bar):
            with ignore_output_errors():
                click.echo(click.style(escape_line(line), fg="red", bold=True), err=True)
