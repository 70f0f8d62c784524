"""``gglib dashboard``: prints what Grafana and Prometheus need to show a server."""

import sys

import click

from gglib.cli.context import Options

DEFAULT_CREDENTIALS_FILE = "gglib.key"


@click.command("dashboard")
@click.option(
    "--scrape-config",
    "is_scrape_config",
    is_flag=True,
    help="Print the configuration of Prometheus for this server instead.",
)
@click.option(
    "--credentials-file",
    type=click.Path(),
    metavar="FILE",
    help="With --scrape-config: file with an admin key. Default: gglib.key, if keys are set.",
)
@click.pass_obj
def command(options: Options, *, is_scrape_config: bool, credentials_file: str | None) -> None:
    """Print the Grafana dashboard of gglib, as JSON.

    In Grafana, 'Dashboards > New > Import' reads it. Its data are gglib's metrics in Prometheus.
    """
    from gglib.app.monitoring.dashboard import dashboard_text

    if credentials_file is not None and not is_scrape_config:
        raise click.UsageError("--credentials-file belongs to --scrape-config.")
    if is_scrape_config:
        _print_scrape_config(options, credentials_file)
        return
    if options.remote is None:
        options.tolerant_settings()  # for its warnings
    click.echo(dashboard_text(), nl=False)
    _explain_on_a_terminal("Save it: 'gglib dashboard > gglib.json', and import the file in Grafana.")


def _print_scrape_config(options: Options, credentials_file: str | None) -> None:
    from gglib.app.monitoring.scrape_config import scrape_config
    from gglib.cli.views import render

    url, has_keys = _server(options)
    if credentials_file is None and has_keys:
        credentials_file = DEFAULT_CREDENTIALS_FILE
        render.echo(
            f"Prometheus needs an admin key in {credentials_file}, beside prometheus.yml: "
            f"'gglib key new --admin prometheus > {credentials_file}'",
            is_error=True,
        )
    click.echo(scrape_config(url, credentials_file), nl=False)
    _explain_on_a_terminal("Save it: 'gglib dashboard --scrape-config > prometheus.yml'")


def _server(options: Options) -> tuple[str, bool]:
    """Return the URL of the server, of the configured one if none runs, and whether it requires keys.

    Raises ``GglibError`` if its port is not known yet.
    """
    from gglib.app.certificates.configured import configured_url
    from gglib.cli.server.client import reachable
    from gglib.cli.server.instance import find_instance
    from gglib.core.errors import GglibError

    if options.remote is not None:
        return options.remote.url, options.remote.key is not None
    settings = options.tolerant_settings()
    instance = find_instance(settings)
    if instance is not None and instance.url is not None and not instance.is_private:
        return reachable(instance.url), instance.key is not None
    if settings.port == 0:
        raise GglibError(
            "The port is chosen when gglib starts: start it first, with 'gglib serve' or 'gglib up'."
        )
    return configured_url(settings), bool(settings.api_keys)


def _explain_on_a_terminal(advice: str) -> None:
    """Print what to do with the output, if it went to a terminal."""
    from gglib.cli.views import render

    if sys.stdout.isatty():
        render.echo(advice, is_error=True)
