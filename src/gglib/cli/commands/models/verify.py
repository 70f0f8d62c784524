"""``gglib verify``: compares model files with their expected hashes."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gglib.cli.context import Options
    from gglib.cli.models.typed_names import AliasTable
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.verification import FileCheck


@click.command("verify")
@click.argument("model", required=False)
@click.option("--remember", is_flag=True, help="Store computed hashes for files without a known hash.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, model: str | None, *, remember: bool, as_json: bool) -> None:
    """Compare model files with their SHA-256 hashes.

    Verifies one model, or all. The exit code is 1 if a file differs, is missing or cannot be read. '--remember' stores
    the computed hashes of files without a known hash, so that the next run can compare them.
    """
    from gglib.app.models.catalog import store_hashes
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import local_models, render

    options: Options = ctx.obj
    settings = options.settings()

    async def verify(store: "HomeStorePort") -> "tuple[Sequence[FileCheck], int]":
        checks = await _verify(store, model, settings.aliases)
        return checks, len(await store_hashes(checks, store)) if remember else 0

    checks, remembered = with_catalog(settings, verify)
    if as_json:
        render.show_json([_as_json(check) for check in checks])
    else:
        for check in checks:
            render.show_line(local_models.format_check(check))
        _print_hash_note(checks, is_remembering=remember, remembered=remembered)
    if any(check.is_bad for check in checks):
        ctx.exit(1)


async def _verify(store: "HomeStorePort", name: str | None, aliases: "AliasTable") -> "Sequence[FileCheck]":
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.cli.terminal.progress_bar import progress_bar
    from gglib.library.verify import verify_models
    from gglib.system.files.hashing import hash_file

    if name is None:
        models = await store.list_models()
    else:
        models = [await require_typed_model(store, name, aliases)]
    sizes: dict[Path, int] = {}
    with progress_bar() as progress:

        def on_progress(path: "Path", done_bytes: int) -> None:
            if path not in sizes:
                sizes[path] = path.stat().st_size
            progress(path.name, done_bytes, sizes[path])

        return await verify_models(models, store, hash_file, on_progress)


def _print_hash_note(checks: "Sequence[FileCheck]", *, is_remembering: bool, remembered: int) -> None:
    from gglib.cli.views import render
    from gglib.core.verification import FileVerdict

    if is_remembering:
        click.echo(f"Stored the computed hashes of {remembered} model{'' if remembered == 1 else 's'}.")
    elif any(check.verdict is FileVerdict.UNKNOWN for check in checks):
        render.echo("'gglib verify --remember' stores the computed hashes for the next run.")
    if not checks:
        click.echo("No models yet: there is nothing to verify.")


def _as_json(check: "FileCheck") -> dict[str, object]:
    return {
        "model": check.model.name,
        "path": str(check.path),
        "verdict": check.verdict.value,
        "expected_sha256": check.expected,
        "found_sha256": check.found,
        "reason": check.reason,
        "is_replaced": check.is_replaced,
    }
