"""``gglib tune``: measures engine arguments on this machine and keeps the fastest."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.app.tuning.tuning import TuningOptions, TuningResult
    from gglib.core.models import ModelSummary
    from gglib.runtime.engines import Engine
    from gglib.runtime.engines.llama_cpp.tuning.steps import StepKind

KINDS = ("gpu", "threads", "batch", "flash", "kv", "draft")
"""The values of ``StepKind``: the engine's modules are not imported for ``--help``."""
ROUNDS, QUICK_ROUNDS = 5, 3


@click.command("tune")
@click.argument("model")
@click.option(
    "--ctx", metavar="N", type=click.IntRange(min=64), help="Context size in tokens to measure with."
)
@click.option("--only", metavar="KINDS", help=f"Options to try, separated by commas: {', '.join(KINDS)}.")
@click.option("--quick", is_flag=True, help="Try fewer values, in 3 rounds.")
@click.option("--dry-run", is_flag=True, help="Measure, but change nothing.")
@click.option(
    "--prompt-tokens",
    metavar="N",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    help="Tokens of the prompt.",
)
@click.option(
    "--tokens",
    metavar="N",
    type=click.IntRange(min=2),
    default=64,
    show_default=True,
    help="Tokens to generate.",
)
@click.option(
    "--rounds", metavar="N", type=click.IntRange(min=3), help="Rounds of each measurement. Default: 5."
)
@click.option("--allow-kv-quantization", is_flag=True, help="Keep a quantized K/V cache if it is faster.")
@click.option("--beside", is_flag=True, help="Measure although models are in memory.")
@click.option(
    "--svg", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write a plot to FILE."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    /,
    model: str,
    *,
    ctx: int | None,
    only: str | None,
    quick: bool,
    dry_run: bool,
    prompt_tokens: int,
    tokens: int,
    rounds: int | None,
    allow_kv_quantization: bool,
    beside: bool,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Measure engine arguments on this machine, and keep the fastest.

    Tries GPU layers, threads, micro-batches, flash attention, K/V cache types and the draft, one after the other: what
    the engine in use takes and what fits into the memory. The best has the shortest turn: the tokens of the prompt by
    the prompt rate, plus the generated tokens by the generation rate. The current settings stay unless the gain is
    larger than the noise of the measurement.

    Takes minutes. Ctrl-C stops it and changes nothing. A quantized K/V cache changes answers slightly.
    """
    import asyncio

    from gglib.app.tuning.tuning import TuningOptions
    from gglib.cli.serving.engine_choice import choose_engine
    from gglib.cli.serving.log_files import start_quiet_logging
    from gglib.cli.tuning.preconditions import require_quiet_server

    tuning = TuningOptions(
        context=ctx,
        prompt_tokens=prompt_tokens,
        tokens=tokens,
        rounds=rounds or (QUICK_ROUNDS if quick else ROUNDS),
        is_quick=quick,
        only=_kinds(only),
        allows_lossy=allow_kv_quantization,
    )
    _check_plot(svg)
    settings = options.settings()
    if not beside:
        require_quiet_server(settings)
    start_quiet_logging(settings)
    engine = choose_engine(settings)
    found, result, is_kept = asyncio.run(_tune(settings, engine, model, tuning, keeps=not dry_run))
    if as_json:
        from gglib.cli.tuning.report_json import tuning_json
        from gglib.cli.views import render

        render.show_json(tuning_json(result, found.name, engine.description, is_kept=is_kept))
    else:
        _show(result, found.name, engine.description, is_kept=is_kept)
        _note_loaded(settings, found, is_kept=is_kept)
    if svg is not None:
        _write_plot(svg, result, found.name, engine.description)


async def _tune(
    settings: "Settings", engine: "Engine", typed: str, tuning: "TuningOptions", *, keeps: bool
) -> "tuple[ModelSummary, TuningResult, bool]":
    """Measure, and keep the result; return the model, the result, and whether it was kept."""
    from gglib.app.models.catalog import open_catalog
    from gglib.app.tuning.tuning import keep, tune
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.tuning.progress import tuning_progress
    from gglib.core.names import not_found

    async with open_catalog(settings) as catalog:
        model = await require_typed_model(catalog, typed, settings.aliases)
        spec = await catalog.resolve_for_launch(model.name)
        if spec is None:
            raise not_found(typed, await catalog.list_models())
        with tuning_progress() as on_progress:
            result = await tune(settings, engine, catalog, spec, tuning, on_progress=on_progress)
        is_kept = keeps and result.found.is_faster
        if is_kept:
            model = await keep(result.found, model, catalog)
        return model, result, is_kept


def _kinds(text: str | None) -> "tuple[StepKind, ...]":
    """Return the kinds of ``--only``. Raises ``click.UsageError`` for an unknown one."""
    from gglib.runtime.engines.llama_cpp.tuning.steps import StepKind

    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    unknown = [word for word in words if word not in KINDS]
    if unknown:
        raise click.UsageError(f"--only has '{unknown[0]}', but the kinds are {', '.join(KINDS)}.")
    if text is not None and not words:
        raise click.UsageError(f"--only is empty, but the kinds are {', '.join(KINDS)}.")
    return tuple(StepKind(word) for word in words)


def _check_plot(path: Path | None) -> None:
    """Raise ``GglibError`` before the measurement, which takes minutes, if the plot cannot be written after it."""
    import os

    from gglib.core.errors import GglibError

    if path is None:
        return
    target = path if path.exists() else path.absolute().parent
    if not os.access(target, os.W_OK):
        raise GglibError(f"--svg {path} cannot be written: name a file in a directory that you can write to.")


def _write_plot(path: Path, result: "TuningResult", model: str, engine: str) -> None:
    from gglib.cli.tuning.plot import tuning_plot
    from gglib.cli.tuning.table import head_line

    path.write_text(tuning_plot(result.found.rows, head_line(result, model, engine)), encoding="utf-8")


def _show(result: "TuningResult", model: str, engine: str, *, is_kept: bool) -> None:
    import sys

    from gglib.cli.tuning import bars, table
    from gglib.cli.views import render

    render.show_line(table.head_line(result, model, engine))
    rows = result.found.rows
    render.show_table(
        table.COLUMNS,
        table.table_rows(rows),
        wrapped=table.WRAPPED_COLUMNS,
        droppable=table.DROPPABLE_COLUMNS,
        styles=table.RESULT_STYLES,
    )
    if sys.stdout.isatty():
        is_unicode = render.can_encode(bars.FULL + bars.LIGHT, sys.stdout)
        click.echo()
        render.show_styled(bars.bar_lines(rows, render.terminal_width(), is_unicode=is_unicode))
        click.echo()
    for line in table.verdict_lines(result, model, is_kept=is_kept):
        render.show_line(line)


def _note_loaded(settings: "Settings", model: "ModelSummary", *, is_kept: bool) -> None:
    """Say when the new arguments apply to a model in memory, which ``--beside`` allows."""
    from gglib.cli.server.instance import model_states
    from gglib.cli.views import render

    if is_kept and model.id in model_states(settings):
        render.echo(
            "It is in memory: it is unloaded after its requests, and the next request loads it again."
        )
