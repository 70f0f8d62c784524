"""``gglib search``: searches the hub, and shows which models fit this machine."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.core.hub.search_results import SearchResult

SORTS = ("downloads", "likes", "updated", "trending")
MAX_LIMIT = 100


@click.command("search")
@click.argument("query", nargs=-1, required=True)
@click.option("--sort", type=click.Choice(SORTS), default=SORTS[0], show_default=True, help="Sort order.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_LIMIT),
    metavar="N",
    default=10,
    show_default=True,
    help="Maximum number of repositories.",
)
@click.option("--max-size", metavar="SIZE", help="Omit larger files: 8G, 500M.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options, query: tuple[str, ...], *, sort: str, limit: int, max_size: str | None, as_json: bool
) -> None:
    """Search the Hugging Face hub for GGUF models.

    Shows the quantizations of each repository and whether they fit into this machine's memory.
    """
    from gglib.cli.sessions import with_finder
    from gglib.cli.views import render
    from gglib.core.hub.repository import HubSort
    from gglib.library.search import ModelFinder

    words = " ".join(query)
    max_size_bytes = None if max_size is None else _parse_max_size(max_size)
    if options.remote is not None:
        from gglib.cli.remote import commands, decode

        answer = commands.search(options.remote, words, sort=sort, limit=limit, max_size_bytes=max_size_bytes)
        if as_json:
            render.show_json(answer)
        else:
            _show(decode.search_result_of(answer), words)
        return

    async def find(finder: ModelFinder) -> "SearchResult":
        return await finder.search(words, sort=HubSort(sort), limit=limit, max_size_bytes=max_size_bytes)

    result = with_finder(options.settings(), find)
    if as_json:
        from gglib.proxy.routes import responses

        render.show_json(responses.SearchResult.of(result, words))
    else:
        _show(result, words)


def _parse_max_size(text: str) -> int:
    """Return the bytes of ``--max-size``. Raises ``click.UsageError``."""
    from gglib.core.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError:
        raise click.UsageError(f"--max-size is {text!r}, but it must be a size like 8G or 500M.") from None


def _show(result: "SearchResult", words: str) -> None:
    from gglib.cli.views import render, search_results

    width = render.terminal_width()
    render.show_styled(search_results.search_lines(result, query=words, width=width))
