"""Warns of a server that other machines can use without a key."""

from typing import TYPE_CHECKING

import click

from gglib.cli.terminal.streams import ignore_output_errors
from gglib.core.plain_text import escape_line

if TYPE_CHECKING:
    from gglib.app.settings import Settings


def exposure_warning(settings: "Settings") -> str | None:
    """Return a sentence if other machines can use this server without a key."""
    from gglib.app.serving.exposure import Exposure, exposure_of

    exposure = exposure_of(settings.host, has_keys=bool(settings.api_keys), is_insecure=settings.insecure)
    if exposure is not Exposure.INSECURE:
        return None
    return f"INSECURE: anyone who can reach {settings.host} can use your models without an access key."


def warn_if_exposed(settings: "Settings") -> None:
    """Warn if other machines can use this server without a key."""
    exposure = exposure_warning(settings)
    if exposure is not None:
        bar = "!" * 80
        for line in (bar, exposure, bar):
            with ignore_output_errors():
                click.echo(click.style(escape_line(line), fg="red", bold=True), err=True)
