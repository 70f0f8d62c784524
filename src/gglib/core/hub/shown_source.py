"""Where a model came from, as it may be shown. Pure."""

from gglib.core.models import ModelSource, ModelSummary


def without_query(address: str) -> str:
    """Return an address as it may be shown: its query may be a signature."""
    return address.partition("#")[0].partition("?")[0]


def has_query(address: str) -> bool:
    """Whether an address has parts that are not shown."""
    return without_query(address) != address


def shown_url(source: ModelSource) -> str | None:
    """Return the address of a model without its query; None for one of no address."""
    return None if source.url is None else without_query(source.url)


def pull_target(model: ModelSummary) -> str | None:
    """Return what to name to ``gglib pull`` for a model's files; None where that is not known, or not to be shown."""
    source = model.source
    if source.origin == "url" and source.url is not None:
        return None if has_query(source.url) else source.url
    if source.repo is None or source.file is None or (source.origin == "ollama" and not model.is_downloaded):
        return None
    return f"{source.repo}/{source.file}" + (f"@{source.asked_revision}" if source.asked_revision else "")


def shown_target(target: str) -> str:
    """Return what was asked for as it may be shown: an address without its query, which may be a signature."""
    return without_query(target) if "://" in target else target
