"""The options of ``add`` and ``set`` for the engine: words for common ones, and what follows ``--``."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.app.models.engine_words import EngineEdit
    from gglib.app.settings import Settings
    from gglib.core.backends import Backend
    from gglib.core.models import GgufFacts, ModelSettings, ModelSummary

Command = TypeVar("Command", bound=Callable[..., object])

EXTRA_ARGS = "gglib.extra_args"
"""Key of what followed ``--`` in ``click.Context.meta``."""
WORDS = ("device", "gpu_layers", "kv_type", "draft", "lora", "template", "thinking", "env")
"""The parameters of ``engine_word_options``."""
ENGINE_ARGS_HELP = "llama-server arguments in one string; 'gglib engine options' lists them"
KV_TYPES = ("f16", "bf16", "f32", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""Those of the table of options, which is not imported to parse a command."""


class ExtraArgsCommand(click.Command):
    """A command whose arguments after ``--`` are for the engine, if one of its own precedes it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what precedes ``--``; keep what follows in ``ctx.meta``."""
        if "--" in args:
            place = args.index("--")
            head, tail = args[:place], args[place + 1 :]
            if self._has_argument(ctx, head):
                ctx.meta[EXTRA_ARGS] = tuple(tail)
                args = head
        return super().parse_args(ctx, args)

    def _has_argument(self, ctx: click.Context, words: list[str]) -> bool:
        """Whether there is an argument among the words: otherwise ``--`` precedes a name that begins with a dash."""
        try:
            values, rest, _ = self.make_parser(ctx).parse_args(list(words))
        except click.UsageError:
            return True
        arguments = (param.name for param in self.params if isinstance(param, click.Argument))
        found = (values.get(name) for name in arguments)
        return bool(rest) or any(value for value in found if isinstance(value, str | tuple | list))


def engine_word_options(command: Command) -> Command:
    """Add the options to a command."""
    kv_types, thinking = click.Choice(KV_TYPES), click.Choice(("on", "off", "auto"))
    several: dict[str, Any] = {"multiple": True}
    for option in reversed(
        (
            _option("--device NAMES|none", "Devices for it, such as CUDA0,CUDA1; 'default' resets it."),
            _option("--gpu-layers N|all|auto", "Layers on the GPU."),
            _option(
                "--kv-type TYPE",
                "Type of its KV cache; q8_0 halves its memory, f16 resets it.",
                type=kv_types,
            ),
            _option(
                "--draft MODEL|auto|off", "Small model that drafts tokens: a file, or one of the catalogue."
            ),
            _option("--lora FILE[:SCALE]", "LoRA adapter; may be repeated, 'none' removes all.", **several),
            _option("--template FILE|NAME", "Chat template: a file, or a built-in one; 'default' resets it."),
            _option("--thinking on|off|auto", "Whether it thinks before it answers.", type=thinking),
            _option("--env NAME=VALUE", "Environment variable of its engine; 'NAME=' removes it.", **several),
        )
    ):
        command = option(command)
    return command


def _option(declaration: str, help_text: str, **attributes: Any) -> Callable[[Command], Command]:  # noqa: ANN401
    name, metavar = declaration.split(" ")
    return click.option(name, metavar=metavar, help=help_text, **attributes)


def is_given(ctx: click.Context, words: Mapping[str, Any]) -> bool:
    """Whether an option for the engine is given; ``words`` has ``engine_args`` and ``WORDS``."""
    is_word = any(words[name] for name in WORDS)
    return is_word or words["engine_args"] is not None or EXTRA_ARGS in ctx.meta


def plan_edit(
    ctx: click.Context,
    words: Mapping[str, Any],
    *,
    model: "ModelSummary | None",
    facts: "GgufFacts | None",
    models: "Sequence[ModelSummary]",
) -> "EngineEdit":
    """Return the change that the options (see ``is_given``) make. ``model`` is None for one that is added.

    Blocks: ``--draft`` reads headers. Raises ``InvalidSettingError``.
    """
    from gglib.app.models.engine_settings import find_draft, split_engine_args
    from gglib.app.models.engine_words import OFF, EngineWords, engine_edit

    given = {name: words[name] for name in WORDS}
    draft = given["draft"]
    if draft not in {None, OFF, "none", "default"}:
        given["draft"] = str(find_draft(draft, model, facts, models))
    return engine_edit(
        EngineWords(
            engine_args=None if words["engine_args"] is None else split_engine_args(words["engine_args"]),
            extra_args=ctx.meta.get(EXTRA_ARGS),
            **given,
        )
    )


def backend_environment(
    ctx: click.Context, words: Mapping[str, Any], backend: "Backend"
) -> "Callable[[ModelSettings], ModelSettings] | None":
    """Return the change of a model that a command serves, which takes ``--env`` only; None for other options.

    Raises ``InvalidSettingError`` for an invalid variable.
    """
    from gglib.app.models.engine_words import EngineWords, engine_edit
    from gglib.core.backends import CommandBackend
    from gglib.runtime.engines.llama_cpp.environment import check_environment

    if not isinstance(backend, CommandBackend) or is_given(ctx, {**words, "env": ()}):
        return None
    edit = engine_edit(EngineWords(env=words["env"]))
    check_environment(edit.environment, is_any_allowed=True)
    return edit.apply


def checked_edit(
    edit: "EngineEdit", before: "ModelSettings", settings: "Settings", facts: "GgufFacts | None"
) -> "Callable[[ModelSettings], ModelSettings]":
    """Check the settings that a change of ``before`` gives; return the change, with absolute paths.

    Blocks: the engine may be run. Raises ``InvalidSettingError``.
    """
    from gglib.app.models.engine_settings import check_engine_settings, with_files

    directory = Path.cwd()

    def apply(own: "ModelSettings") -> "ModelSettings":
        return with_files(edit.apply(own), directory)

    check_engine_settings(apply(before), settings, facts)
    return apply


def added_settings(  # noqa: PLR0913 - what the options of add mean
    ctx: click.Context,
    own: Mapping[str, Any],
    base: "ModelSettings",
    *,
    files: "Sequence[str]",
    models: "Sequence[ModelSummary]",
    settings: "Settings",
) -> "ModelSettings":
    """Return the settings of a model that is added, with the options for the engine. Blocks and raises as above.

    With several files, the options are not compared with their headers.
    """
    from gglib.app.models.engine_settings import file_facts

    if not is_given(ctx, own):
        return base
    facts = file_facts(Path(files[0])) if len(files) == 1 else None
    edit = plan_edit(ctx, own, model=None, facts=facts, models=models)
    return checked_edit(edit, base, settings, facts)(base)


def shown_words(settings: "ModelSettings") -> dict[str, str]:
    """Return the lines of ``show`` for the engine, by label; empty ones are not shown."""
    from gglib.app.models.engine_words import engine_words_of
    from gglib.core.errors import InvalidSettingError

    lines = {"Engine args": shlex.join(settings.engine_args)}
    try:
        return engine_words_of(settings) | lines
    except InvalidSettingError:
        return lines
