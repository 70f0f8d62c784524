"""``gglib profile``: named defaults for requests, used as ``MODEL:PROFILE``."""

from typing import TYPE_CHECKING, Any, TypeVar

import click

from gglib.cli.context import Options
from gglib.cli.help.pages import HelpGroup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gglib.core.ports.store import HomeStorePort
    from gglib.core.profiles import Profile
    from gglib.proxy.profiles.admin import OwnedProfile, ProfileAdmin

T = TypeVar("T")

COLUMNS = ("PROFILE", "MODEL", "SETS", "STRIPS", "DESCRIPTION")
ALL_MODELS = "all models"
_MODEL_HELP = "The model of the profile. Default: a profile of all models."


@click.group("profile", cls=HelpGroup)
def command() -> None:
    """Manage named defaults for requests.

    A request for MODEL:PROFILE uses the model with the defaults of the profile, for everything that the request itself
    does not set.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(options: Options, *, as_json: bool) -> None:
    """List the profiles."""
    from gglib.cli.views import render

    profiles = _with_profiles(options, None, lambda admin, _: admin.list())
    if as_json:
        from gglib.proxy.routes.responses import Profile

        render.show_json([Profile.of(owned.profile, owned.model_name) for owned in profiles])
    elif not profiles:
        render.show_note("No profiles yet. 'gglib profile set NAME --temperature 0.2' adds one.")
    else:
        render.show_table(
            COLUMNS,
            [
                (
                    owned.profile.name,
                    owned.model_name or ALL_MODELS,
                    ", ".join(_set_fields(owned.profile)) or "-",
                    ", ".join(owned.profile.strip) or "-",
                    owned.profile.description or "-",
                )
                for owned in profiles
            ],
            wrapped=("SETS", "STRIPS", "DESCRIPTION"),
            droppable=("DESCRIPTION", "STRIPS", "SETS"),
        )


@command.command("show")
@click.argument("name")
@click.option("--model", metavar="M", help=_MODEL_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(options: Options, name: str, *, model: str | None, as_json: bool) -> None:
    """Show one profile."""
    import json

    from gglib.cli.views import render

    owned = _with_profiles(options, model, lambda admin, full: admin.show(name, full))
    profile = owned.profile
    if as_json:
        _show_json(owned)
        return
    lines = {
        "Name": profile.name,
        "Model": owned.model_name or ALL_MODELS,
        "Description": profile.description,
        **{field: json.dumps(value) for field, value in profile.defaults.items()},
        "Template": json.dumps(profile.template_kwargs) if profile.template_kwargs else None,
        "Strips": ", ".join(profile.strip),
        "System": profile.system,
    }
    render.show_fields(lines, wrapped=("Description", "System"))


@command.command("set")
@click.argument("name")
@click.option("--model", metavar="M", help=_MODEL_HELP)
@click.option("--temperature", type=float, help="Sampling temperature; 0 always takes the likeliest token.")
@click.option("--top-p", type=float, help="Sample from the likeliest tokens with this total probability.")
@click.option("--top-k", type=int, help="Sample from this many of the likeliest tokens; 0: from all.")
@click.option("--min-p", type=float, help="Minimum probability, relative to the likeliest token.")
@click.option("--max-tokens", type=int, help="Maximum number of tokens of a response.")
@click.option("--seed", type=int, help="Seed of the sampling; -1: random.")
@click.option("--repeat-penalty", type=float, help="Penalty for repeated tokens; 1: none.")
@click.option("--presence-penalty", type=float, help="Penalty for tokens that have occurred.")
@click.option("--frequency-penalty", type=float, help="Penalty for tokens, by how often they have occurred.")
@click.option("--stop", multiple=True, metavar="TEXT", help="End responses at this text; may be repeated.")
@click.option("--system", metavar="TEXT|@FILE", help="System prompt of requests without one; '' removes it.")
@click.option(
    "--template-kwargs",
    metavar="JSON",
    help="Arguments of the chat template, such as '{\"enable_thinking\": false}'; '{}' removes them.",
)
@click.option("--set", "fields", multiple=True, metavar="FIELD=JSON", help="Default of any other field.")
@click.option("--unset", multiple=True, metavar="FIELD", help="Remove the default of a field.")
@click.option(
    "--strip",
    multiple=True,
    metavar="FIELD",
    help="Remove this field from requests, even if set; may be repeated.",
)
@click.option("--no-strip", is_flag=True, help="Strip no fields.")
@click.option("--description", metavar="TEXT", help="Text for the list of models.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def set_(  # noqa: PLR0913 - click passes each option
    options: Options,
    /,
    name: str,
    *,
    model: str | None,
    stop: tuple[str, ...],
    system: str | None,
    template_kwargs: str | None,
    fields: tuple[str, ...],
    unset: tuple[str, ...],
    strip: tuple[str, ...],
    no_strip: bool,
    description: str | None,
    as_json: bool,
    **sampling: float | None,
) -> None:
    """Add a profile, or change one.

    Options that are not given keep their values. Servers use the changed profile for the next request.
    """
    from gglib.cli.models.profile_edits import (
        ProfileChanges,
        parse_fields,
        parse_template_kwargs,
        read_system,
    )
    from gglib.cli.views import render

    defaults: dict[str, Any] = {field: value for field, value in sampling.items() if value is not None}
    if stop:
        defaults["stop"] = list(stop)
    changes = ProfileChanges(
        description=description,
        system=None if system is None else read_system(system),
        defaults={**defaults, **parse_fields(fields)},
        unset=unset,
        template_kwargs=None if template_kwargs is None else parse_template_kwargs(template_kwargs),
        strip=strip if strip or no_strip else None,
    )
    owned = _with_profiles(
        options,
        model,
        lambda admin, full: admin.set(name, full, lambda known: changes.applied_to(known, name)),
    )
    if as_json:
        _show_json(owned)
    else:
        render.echo(f"Set the profile: use it as '{owned.model_name or 'MODEL'}:{name}'.")


@command.command("rm")
@click.argument("name")
@click.option("--model", metavar="M", help=_MODEL_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def rm(options: Options, name: str, *, model: str | None, as_json: bool) -> None:
    """Remove a profile."""
    from gglib.cli.views import render

    removed = _with_profiles(options, model, lambda admin, full: admin.remove(name, full))
    if as_json:
        _show_json(removed)
    else:
        render.echo(f"Removed the profile '{removed.profile.name}'.")


def _show_json(owned: "OwnedProfile") -> None:
    from gglib.cli.views import render
    from gglib.proxy.routes.responses import Profile

    render.show_json(Profile.of(owned.profile, owned.model_name))


def _with_profiles(
    options: Options, model: str | None, call: "Callable[[ProfileAdmin, str | None], Awaitable[T]]"
) -> "T":
    """Run one call on the profiles of this home, with the full name of ``model``."""
    from gglib.app.models.profiles import profile_admin
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.sessions import with_catalog

    settings = options.settings()

    async def run(store: "HomeStorePort") -> "T":
        known = None if model is None else await require_typed_model(store, model, settings.aliases)
        return await call(profile_admin(store, settings), None if known is None else known.name)

    return with_catalog(settings, run)


def _set_fields(profile: "Profile") -> list[str]:
    """Return the names of what a profile sets."""
    own = {"system": profile.system, "chat_template_kwargs": profile.template_kwargs}
    return [*profile.defaults, *(name for name, value in own.items() if value)]
