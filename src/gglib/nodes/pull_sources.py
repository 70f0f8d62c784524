"""Where a model can be downloaded from, and where its download has failed. Pure; times in seconds."""

from gglib.core.models import ModelSource, ModelSummary
from gglib.nodes.model_index import ClusterModel

FIRST_BACKOFF_S = 30.0
MAX_BACKOFF_S = 1800.0
_HUB = "hub"


def pull_source(model: ClusterModel) -> str | None:
    """Return what ``gglib pull`` takes for exactly the files of a model; None if no copy names a repository of the hub.

    With the file and the revision, so that the download is the same model: the repository may have changed since.
    """
    summaries = [model.summary, *(copy.summary for copy in model.copies.values())]
    return next(filter(None, map(_source_of, summaries)), None)


def pull_bytes(model: ClusterModel) -> int:
    """Return the size of all files of a model; 0 if it is unknown."""
    return next(filter(None, (copy.content.size_bytes for copy in model.copies.values())), 0)


def _source_of(summary: ModelSummary) -> str | None:
    source: ModelSource = summary.source
    if source.origin != _HUB or source.repo is None or summary.backend is not None:
        return None
    if source.file is not None and source.revision is not None:
        return f"{source.repo}/{source.file}@{source.revision}"
    return source.repo if summary.quantization is None else f"{source.repo}:{summary.quantization}"


class PullFailures:
    """The nodes that have failed to download a source: each is left out for a time, which doubles with each failure."""

    def __init__(self) -> None:
        self._failures: dict[str, dict[str, tuple[int, float, str]]] = {}
        """By source and node: the number of failures, when the node may try again, and the reason."""

    def note(self, source: str, node: str, reason: str, now: float) -> None:
        """Note a failure; ``reason`` is a sentence or a clause."""
        nodes = self._failures.setdefault(source, {})
        count = nodes[node][0] if node in nodes else 0
        wait_s = min(FIRST_BACKOFF_S * 2.0 ** min(count, 10), MAX_BACKOFF_S)
        nodes[node] = (count + 1, now + wait_s, reason.rstrip("."))

    def succeeded(self, source: str) -> None:
        """Forget the failures of a source: it can be downloaded."""
        self._failures.pop(source, None)

    def reasons(self, source: str, now: float) -> dict[str, str]:
        """Return the nodes that are left out now, each with a clause for the user."""
        failures = self._failures.get(source, {}).items()
        return {
            node: f"failed to download it ({reason})"
            for node, (_, until_s, reason) in failures
            if now < until_s
        }
