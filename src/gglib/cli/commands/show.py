"""``gglib show``: all that is known of one model."""

import click

from gglib.cli.context import Options


@click.command("show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def command(options: Options, model: str, *, as_json: bool) -> None:
    """Show what is known of a model."""
    import time

    from gglib.cli import listing, render
    from gglib.cli.instance import states_of
    from gglib.cli.runner import with_catalog
    from gglib.core.names import require_model

    settings = options.settings()
    found = with_catalog(settings, lambda store: require_model(store, model))
    state = states_of(settings).get(found.id)
    if as_json:
        render.show_json(listing.as_json(found, state))
        return
    idle_ttl_s = found.settings.idle_ttl_s
    lines = {
        "Name": found.name,
        "Id": str(found.id),
        "Aliases": ", ".join(found.aliases),
        "Description": found.description,
        "Architecture": found.architecture,
        "Parameters": render.count(found.parameter_count),
        "Quantization": found.quantization,
        "Size": render.size(found.size_bytes),
        "Trained for": f"{found.trained_context} tokens" if found.trained_context else None,
        "Context": listing.context_of(found) if found.settings.context else "the default",
        "Idle TTL": None if idle_ttl_s is None else render.span(idle_ttl_s),
        "Engine gets": " ".join(found.settings.engine_args),
        "Can do": ", ".join(found.capabilities.names()),
        "State": state or "not in memory",
        "Last used": None if found.last_used_at is None else render.ago(time.time() - found.last_used_at),
        "Source": listing.source_of(found),
        "Revision": found.source.revision,
        "Template": found.chat_template_sha256,
    }
    for label, value in lines.items():
        if value:
            click.echo(f"{label + ':':<14}{value}")
    for label, path, sha256 in listing.files_of(found):
        click.echo(f"{label + ':':<14}{path}{'' if path.is_file() else '  (gone)'}")
        if sha256 is not None:
            click.echo(f"{'SHA-256:':<14}{sha256}")
