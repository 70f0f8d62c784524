"""``gglib top``: a live view of the server."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.cli.top.feed import Source

MIN_INTERVAL_S = 0.2


@click.command("top")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=MIN_INTERVAL_S, max=3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two readings.",
)
@click.option("--once", is_flag=True, help="Print the view once, as text.")
@click.pass_context
def command(ctx: click.Context, interval_s: float, *, once: bool) -> None:
    """Watch models, the queue, requests, swaps and failures live.

    Keys unload, pin and load models, cancel requests, sort and filter; '?' lists them. Without a terminal the view is
    printed once, with the rates of SECONDS.
    """
    import asyncio

    from gglib.cli.server.models import stop_timeout_s
    from gglib.cli.top.run import is_live, show_live, show_once

    options: Options = ctx.obj
    timeout_s = stop_timeout_s(options)  # prints the warnings of the settings
    if once or not is_live():
        asyncio.run(show_once(lambda: _source(options), interval_s=interval_s))
        return
    code = asyncio.run(show_live(lambda: _source(options), interval_s=interval_s, unload_timeout_s=timeout_s))
    ctx.exit(code)


def _source(options: Options) -> "Source":
    """Return the server of ``--url``, else that of this home. Raises ``GglibError`` if none runs."""
    from gglib.cli.server.instance import find_instance, require_endpoint
    from gglib.cli.top.feed import Source

    if options.remote is not None:
        return Source(options.remote)
    settings = options.tolerant_settings(is_quiet=True)  # a warning would tear the view
    server = require_endpoint(settings)
    instance = find_instance(settings)
    return Source(server, None if instance is None else instance.started_at)
