"""The output of ``gglib import`` for a configuration file: what is imported, and what is not. Pure.

Names, values and commands of the file are untrusted, so they are escaped for the terminal.
"""

import shlex
from collections.abc import Iterator, Sequence

from gglib.app.models.configurations import ConfigurationPlan
from gglib.app.settings.changes import shown_value
from gglib.cli.views import render
from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import ModelSettings
from gglib.core.plain_text import escape_line
from gglib.core.profiles import Profile
from gglib.library.importers.configurations.plan import Leftover, LocalFile
from gglib.library.importers.configurations.planned import PlannedModel, PlanState

MODEL_COLUMNS = ("MODEL", "IMPORT", "SERVED BY", "CTX", "OPTIONS", "ALIASES", "PROFILES")
SETTING_COLUMNS = ("SETTING", "NOW", "THEN", "FROM")
NOT_IMPORTED = "Not imported:"


def model_rows(models: Sequence[PlannedModel]) -> list[tuple[str, ...]]:
    """Return a row for each model that the import adds or changes, or that is there already."""
    shown = [model for model in models if model.state is not PlanState.SKIPPED]
    return list(dict.fromkeys(map(_row, shown)))


def setting_rows(plan: ConfigurationPlan) -> list[tuple[str, ...]]:
    """Return a row for each setting that the import sets."""
    return [
        (each.key, shown_value(each.before) or "-", shown_value(each.after), each.where)
        for each in plan.settings
    ]


def leftovers(plan: ConfigurationPlan) -> list[Leftover]:
    """Return everything that is not imported: skipped models first."""
    skipped = [
        Leftover(model.wanted.where, model.reason or "", model.instead)
        for model in plan.models
        if model.state is PlanState.SKIPPED
    ]
    return [*skipped, *plan.leftovers]


def leftover_lines(plan: ConfigurationPlan) -> Iterator[str]:
    """Return a line for each reason, with the fields that it is for, and what to use instead."""
    by_reason: dict[tuple[str, str | None], list[str]] = {}
    for each in leftovers(plan):
        by_reason.setdefault((each.reason, each.instead), []).append(each.where)
    for (reason, instead), where in by_reason.items():
        line = f"  {', '.join(where)}: {reason.rstrip('.')}."
        yield line if instead is None else f"{line} Instead: {instead}."


def command_lines(models: Sequence[PlannedModel]) -> Iterator[str]:
    """Return the whole command or URL of each model that has one, and the names of variables that engines get."""
    for model in models:
        served = model.wanted.served
        names = ", ".join(name for name, _ in _settings_of(model).environment)
        if not model.is_to_do:
            continue
        if isinstance(served, CommandBackend):
            variables = f" (with {names})" if names else ""
            yield escape_line(f"A request for '{model.name}' runs{variables}: {_readable(served)}")
        elif isinstance(served, UrlBackend):
            yield escape_line(f"A request for '{model.name}' goes to {served.base_url}.")
        elif names:
            yield escape_line(f"The engine of '{model.name}' runs with {names} in its environment.")


def _readable(command: CommandBackend) -> str:
    """Return a command for a shell, with ``{port}`` and other placeholders in it."""
    return shlex.join(word.replace("{{", "{").replace("}}", "}") for word in command.argv)


def result_lines(plan: ConfigurationPlan) -> Iterator[str]:
    """Return a sentence for each model that was added, changed, or failed."""
    for model in plan.models:
        match model.state:
            case PlanState.ADDED:
                yield f"Added '{model.name}'."
            case PlanState.UPDATED:
                yield f"Changed '{model.name}'."
            case PlanState.FAILED:
                yield f"'{model.name}' was not imported: {model.reason}."


def as_json(plan: ConfigurationPlan) -> dict[str, object]:
    """Return the plan, or its results."""
    return {
        "models": [_model_json(model) for model in plan.models],
        "settings": [
            {"setting": each.key, "from": each.where, "before": each.before, "after": each.after}
            for each in plan.settings
        ],
        "not_imported": [
            {"field": each.where, "reason": each.reason, "instead": each.instead} for each in plan.leftovers
        ],
        "errors": list(plan.faults),
    }


def _row(model: PlannedModel) -> tuple[str, ...]:
    settings = _settings_of(model)
    aliases = model.aliases if model.new is None else model.new.aliases
    return (
        model.name,
        model.state.value,
        _served_by(model),
        _context(settings),
        shlex.join((*settings.engine_args, *settings.extra_args)) or "-",
        ", ".join(aliases) or "-",
        ", ".join(profile.name for profile in model.profiles) or "-",
    )


def _settings_of(model: PlannedModel) -> ModelSettings:
    """Return the settings that a model gets by the import."""
    if model.new is not None:
        return model.new.settings
    return ModelSettings(**model.settings)  # type: ignore[arg-type] # by name


def _context(settings: ModelSettings) -> str:
    if settings.context is None:
        return "-"
    return "max" if settings.context == UNLIMITED_CONTEXT else str(settings.context)


def _served_by(model: PlannedModel) -> str:
    match model.wanted.served:
        case LocalFile(path=path):
            return path.name if model.new is None else model.new.paths[0].name
        case CommandBackend(argv=argv):
            return f"command {argv[0]}"
        case UrlBackend(base_url=url):
            return url
    return "catalogue"


def _model_json(model: PlannedModel) -> dict[str, object]:
    served = model.wanted.served
    settings = _settings_of(model)
    file = str(served.path) if isinstance(served, LocalFile) else None
    return {
        "name": model.name,
        "field": model.wanted.where,
        "state": model.state.value,
        "reason": model.reason,
        "instead": model.instead,
        "path": file if model.new is None or not model.new.paths else str(model.new.paths[0]),
        "command": list(served.argv) if isinstance(served, CommandBackend) else None,
        "url": served.base_url if isinstance(served, UrlBackend) else None,
        "aliases": list(model.aliases if model.new is None else model.new.aliases),
        "context": "max" if settings.context == UNLIMITED_CONTEXT else settings.context,
        "engine_args": list(settings.engine_args),
        "extra_args": list(settings.extra_args),
        "environment": [name for name, _ in settings.environment],
        "idle_ttl_s": settings.idle_ttl_s,
        "kind": settings.kind,
        "is_pinned": settings.is_pinned,
        "priority": None if settings.priority is None else settings.priority.name.lower(),
        "keep_conversations": settings.keep_conversations,
        "profiles": [_profile_json(profile) for profile in model.profiles],
    }


def _profile_json(profile: Profile) -> dict[str, object]:
    return {
        "name": profile.name,
        "defaults": dict(profile.defaults),
        "template_kwargs": dict(profile.template_kwargs),
        "strip": list(profile.strip),
    }


def show(plan: ConfigurationPlan) -> None:
    """Print the plan: models, commands, settings, and what is not imported."""
    if rows := model_rows(plan.models):
        render.show_table(
            MODEL_COLUMNS,
            rows,
            wrapped=("OPTIONS", "ALIASES", "PROFILES"),
            droppable=("SERVED BY", "CTX", "PROFILES", "ALIASES"),
        )
    for line in command_lines(plan.models):
        render.show_line(line)
    if rows := setting_rows(plan):
        render.show_line("")
        render.show_table(SETTING_COLUMNS, rows, wrapped=("THEN",), droppable=("FROM",))
    for index, line in enumerate(leftover_lines(plan)):
        if index == 0:
            render.show_line("")
            render.show_line(NOT_IMPORTED, "bold")
        render.show_line(line)
