"""The source of a model in a form that may be shown: a URL without its query. Pure."""

from gglib.core.models import ModelSource, ModelSummary


def without_query(address: str) -> str:
    """Return a URL without query and fragment: a query may be a signature."""
    return address.partition("#")[0].partition("?")[0]


def has_query(address: str) -> bool:
    """Whether a URL has a query or a fragment."""
    return without_query(address) != address


def shown_url(source: ModelSource) -> str | None:
    """Return the URL of a model's source without its query; None if the source is no URL."""
    return None if source.url is None else without_query(source.url)


def pull_target(model: ModelSummary) -> str | None:
    """Return the ``gglib pull`` target of a model's files; None if it is unknown or must not be shown."""
    source = model.source
    if source.origin == "url" and source.url is not None:
        return None if has_query(source.url) else source.url
    if source.repo is None or source.file is None or (source.origin == "ollama" and not model.is_downloaded):
        return None
    return f"{source.repo}/{source.file}" + (f"@{source.asked_revision}" if source.asked_revision else "")


def shown_target(target: str) -> str:
    """Return a pull target as it may be shown: a URL without its query."""
    return without_query(target) if "://" in target else target
