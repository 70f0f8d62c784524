"""Which nodes have a model, under which names. Pure.

Models are the same if their files are: same SHA-256 of the first file, same size, and the same use (with a projector it
is another model: without one, images are refused). Where a hash is unknown, the same name and size are enough.

A name stands for one content. If nodes have different files under one name, the front's own file has the name, else the
file that most nodes have. The others are reported as conflicts: they are never served under that name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gglib.core.kinds import launch_spec
from gglib.core.models import NO_FILE, ModelLaunchSpec, ModelSummary
from gglib.core.names import find_model
from gglib.core.nodes import NameConflict, NodeModel, NodeSnapshot

Copies = Mapping[str, NodeModel]
"""The model at each node that has it, by the node's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterModel:
    """A model under one of its names, and where it is."""

    summary: ModelSummary
    """That of the first node with the name. A name that the front's own catalogue lacks has a negative id."""
    copies: Copies
    launch_spec: ModelLaunchSpec = field(init=False)
    """Without files: a node launches it. Made once, as each request needs it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "launch_spec", launch_spec(self.summary, NO_FILE))

    @property
    def name(self) -> str:
        """Its name in the cluster. Its names at the nodes may be others: the same file can have several."""
        return self.summary.name


class ModelIndex:
    """The models of all nodes. The first snapshot is that of the front's own machine."""

    def __init__(self, snapshots: Sequence[NodeSnapshot]) -> None:
        own = snapshots[0].name if snapshots else ""
        conflicts: list[NameConflict] = []
        self._models: dict[str, ClusterModel] = {}
        for name, contents in _by_name(_contents(snapshots)).items():
            served = _served(name, contents, own)
            others = [
                node for content in contents if content is not served for node in content.nodes_with(name)
            ]
            if others:
                conflicts.append(
                    NameConflict(name=name, served=tuple(served.nodes_with(name)), others=tuple(others))
                )
            self._models[name] = _model(name, served, own, number=len(self._models) + 1)
        self.conflicts: tuple[NameConflict, ...] = tuple(conflicts)
        """The names that stand for different files."""
        self.summaries: tuple[ModelSummary, ...] = tuple(
            replace(model.summary, aliases=self._aliases(model)) for model in self._models.values()
        )
        """One for each name, the front's own models first. Names resolve on them (``core.names``)."""

    def get(self, name: str) -> ClusterModel | None:
        """Return the model with exactly this name; None if no node has it."""
        return self._models.get(name)

    def find(self, name: str) -> ClusterModel | None:
        """Return the model that a name, an alias or an id resolves to; None if none or more than one does."""
        known = self._models.get(name)
        if known is not None:
            return known
        summary = find_model(name, self.summaries)
        return None if summary is None else self._models[summary.name]

    def listed(self, nodes: Collection[str]) -> tuple[ModelSummary, ...]:
        """Return the models that at least one of ``nodes`` has: those that take requests, for ``/v1/models``."""
        return tuple(s for s in self.summaries if not self._models[s.name].copies.keys().isdisjoint(nodes))

    def _aliases(self, model: ClusterModel) -> tuple[str, ...]:
        """Return the aliases that are no names of models: a name comes before an alias."""
        return tuple(alias for alias in model.summary.aliases if alias not in self._models)


class _Content:
    """One content, and the models of each node that have it."""

    def __init__(self) -> None:
        self.models: dict[str, list[NodeModel]] = {}

    def nodes_with(self, name: str) -> list[str]:
        """Return the nodes that have it under a name."""
        return [node for node, models in self.models.items() if any(model.name == name for model in models)]


def _contents(snapshots: Sequence[NodeSnapshot]) -> list[_Content]:
    """Return the contents in the order of their first models. A model without a hash joins an equal name and size."""
    entries = [(snapshot.name, model) for snapshot in snapshots for model in snapshot.models]
    hash_of = {
        _named(model): _hashed(model) for _, model in reversed(entries) if model.content.sha256 is not None
    }
    contents: dict[object, _Content] = {}
    for node, model in entries:
        is_hashed = model.content.sha256 is not None
        key = _hashed(model) if is_hashed else hash_of.get(_named(model), _named(model))
        contents.setdefault(key, _Content()).models.setdefault(node, []).append(model)
    return list(contents.values())


def _hashed(model: NodeModel) -> object:
    return model.content, _use(model)


def _named(model: NodeModel) -> object:
    return model.name, model.content.size_bytes, _use(model)


def _use(model: NodeModel) -> object:
    """Return what a request may need beside the file: models that differ in it do not stand for each other."""
    capabilities, backend = model.summary.capabilities, model.summary.backend
    return type(backend), capabilities.vision, capabilities.embedding, capabilities.rerank


def _by_name(contents: Sequence[_Content]) -> dict[str, list[_Content]]:
    """Return the contents that have each name."""
    owners: dict[str, list[_Content]] = {}
    for content in contents:
        names = dict.fromkeys(model.name for models in content.models.values() for model in models)
        for name in names:
            owners.setdefault(name, []).append(content)
    return owners


def _served(name: str, contents: Sequence[_Content], own: str) -> _Content:
    """Return the content that a name stands for: the front's own, else that of most nodes, else the first."""
    return max(contents, key=lambda content: (own in content.nodes_with(name), len(content.nodes_with(name))))


def _model(name: str, content: _Content, own: str, *, number: int) -> ClusterModel:
    """Return a content under one of its names: at each node the model with this name, else its first one."""
    copies = {
        node: next((model for model in models if model.name == name), models[0])
        for node, models in content.models.items()
    }
    first = content.nodes_with(name)[0]
    summary = copies[first].summary
    return ClusterModel(summary=summary if first == own else replace(summary, id=-number), copies=copies)
