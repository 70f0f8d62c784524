"""Installs an engine with progress, as text or as JSON events."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gglib.cli.pull.reporters import EVENT_INTERVAL_S, emit
from gglib.cli.views import render
from gglib.core.errors import GglibError
from gglib.core.shell_quoting import quoted_command

if TYPE_CHECKING:
    from gglib.app.engines.installing import InstallPlan, InstallResult, OnInstallProgress
    from gglib.app.settings import Settings
    from gglib.engine_store import InstalledEngine


def install_engine(
    settings: "Settings", target: str | None, *, name: str | None, chooses: bool, as_json: bool
) -> None:
    """Install an engine and choose it. After Ctrl-C the part of the download is kept. Raises ``GglibError``."""
    from gglib.app.engines.installing import plan_install, run_install

    try:
        plan = asyncio.run(plan_install(settings, target, name=name))
        _show_plan(plan, as_json=as_json)
        with _json_progress() if as_json else _progress_bar() as on_progress:
            result = run_install(settings, plan, on_progress)
    except KeyboardInterrupt:
        render.echo(
            "\nInterrupted: no engine was installed. The same command resumes a download.", is_error=True
        )
        raise
    except GglibError as error:
        if as_json:
            emit("error", code=error.code, message=str(error))
        raise
    _report(settings, plan, result, chooses=chooses, as_json=as_json)


def _show_plan(plan: "InstallPlan", *, as_json: bool) -> None:
    if as_json:
        emit("plan", name=plan.name, kind=plan.kind, source=plan.source, total_bytes=plan.size_bytes)
    else:
        size = "" if plan.size_bytes is None else f" ({render.size(plan.size_bytes)})"
        render.echo(f"{plan.name}{size} from {plan.source}", is_error=True)


def _report(
    settings: "Settings", plan: "InstallPlan", result: "InstallResult", *, chooses: bool, as_json: bool
) -> None:
    """Print what was installed, choose it, and say what to do if it does not use the GPU."""
    from gglib.app.engines.selection import Choice, choose
    from gglib.cli.engines.choosing import report_choice

    engine = result.engine
    finds_no_gpu = plan.has_gpu and engine.record.kind != "cpu" and engine.record.devices == ()
    is_chosen = chooses and not finds_no_gpu
    if as_json:
        import msgspec

        record = msgspec.to_builtins(engine.record)
        emit("done", engine=record, path=str(engine.program), is_new=result.is_new, is_chosen=is_chosen)
    else:
        done = "Installed" if result.is_new else "Already installed:"
        render.echo(f"{done} '{engine.name}': {described(engine)}.")
    if finds_no_gpu:
        render.warn(
            f"'{engine.name}' finds no GPU, so it is not chosen: install the driver of the GPU "
            f"(docs/models.md#gpus). {quoted_command('engine', 'use', engine.name)} chooses it all the same."
        )
    if not is_chosen:
        return
    choice = Choice(str(engine.program), engine)
    before = choose(settings, choice)
    if not as_json:
        report_choice(settings, choice, before, as_json=False)


def described(engine: "InstalledEngine") -> str:
    """Return version, devices and size of an engine."""
    record = engine.record
    version = record.version or "version unknown"
    return f"{version}, {devices_text(record.devices)}, {render.size(record.size_bytes)}"


def devices_text(devices: tuple[str, ...] | None) -> str:
    """Return the GPUs that an engine found."""
    if devices is None:
        return "devices unknown"
    return ", ".join(devices) if devices else "no GPU"


@contextmanager
def _progress_bar() -> "Iterator[OnInstallProgress]":
    from gglib.cli.terminal.progress_bar import progress_bar

    with progress_bar() as on_progress:
        yield on_progress


@contextmanager
def _json_progress(clock: Callable[[], float] = time.monotonic) -> "Iterator[OnInstallProgress]":
    """Emit ``progress`` twice a second, and at the end of each file."""
    last_s = float("-inf")

    def on_progress(name: str, done_bytes: int, total_bytes: int) -> None:
        nonlocal last_s
        now_s = clock()
        if done_bytes < total_bytes and now_s - last_s < EVENT_INTERVAL_S:
            return
        last_s = now_s
        emit("progress", file=name, done_bytes=done_bytes, total_bytes=total_bytes)

    yield on_progress
