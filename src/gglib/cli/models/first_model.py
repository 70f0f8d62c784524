"""Asks a user without a model which one to fetch, and fetches it."""

import asyncio
from dataclasses import dataclass

import click

from gglib.app.models.first_models import FirstModelOffers, first_model_offers, local_offers
from gglib.app.settings import Settings
from gglib.cli.pull import run
from gglib.cli.pull.prompts import PullPrompts
from gglib.cli.pull.reporters import TextReporter
from gglib.cli.terminal.progress_bar import progress_bar
from gglib.cli.terminal.status_line import terminal_status
from gglib.cli.views import first_models, render
from gglib.core.models import ModelSummary
from gglib.core.ports.store import HomeStorePort
from gglib.library.starter.first_models import Offer


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user has chosen."""

    offer: Offer | None = None
    """A model of the list; None: the small starter, or none."""
    is_none: bool = False
    """Whether nothing should be fetched."""


def choose(settings: Settings, question: str) -> Choice:
    """Ask at the terminal for a first model."""
    offered = _offers(settings)
    click.echo(question)
    render.show_table(first_models.CHOICE_COLUMNS, first_models.choice_rows(offered), wrapped=("MODEL",))
    for line in first_models.note_lines(offered):
        render.echo(line)
    number: int = click.prompt(
        "Number",
        value_proc=lambda text: _read_number(text, offered),
        default=str(first_models.default_number(offered)),
    )
    if number == first_models.NONE_NUMBER:
        return Choice(is_none=True)
    return Choice(first_models.offer_of(number, offered))


def _read_number(text: str, offered: FirstModelOffers) -> int:
    try:
        return first_models.chosen_number(text, offered)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def fetch(settings: Settings, offer: Offer) -> None:
    """Pull a model of the list. Raises ``GglibError``."""
    if (note := first_models.too_large_note(offer)) is not None:
        render.echo(note, is_error=True)
    prompts = PullPrompts(assume_yes=True, wants_projector=None)
    run.pull_model(
        settings, offer.model.target, name=None, aliases=(), prompts=prompts, reporter=TextReporter()
    )


def fetch_starter(settings: Settings) -> None:
    """Add the small starter model, or restore its file, and say how to use it. Raises ``GglibError``."""
    from gglib.app.models.catalog import add_starter
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views.model_list import usage_hint

    async def add(store: HomeStorePort) -> tuple[ModelSummary, bool]:
        before = {model.id for model in await store.list_models()}
        with progress_bar() as progress:
            model = await add_starter(settings, store, progress)
        return model, model.id not in before

    model, is_new = with_catalog(settings, add)
    if is_new:
        done = f"Added '{model.name}' (id {model.id}, {render.size(model.size_bytes)})."
    else:
        done = f"'{model.name}' is in the catalogue, and its file is in place."
    render.echo(f"{done} {usage_hint(model)}")


def show(settings: Settings) -> None:
    """Print the list, with the command of each model."""
    offered = asyncio.run(local_offers(settings))
    render.show_table(first_models.LIST_COLUMNS, first_models.list_rows(offered), wrapped=("COMMAND",))


def _offers(settings: Settings) -> FirstModelOffers:
    with terminal_status() as show:
        show("Looking at this machine and the hub ...")
        return asyncio.run(first_model_offers(settings))
