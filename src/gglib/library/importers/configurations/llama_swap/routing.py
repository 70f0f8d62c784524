"""llama-swap's groups and matrix: how many models may run at once, and which stay. Pure.

A group runs one member at a time (``swap``) or all of them; a group that is ``exclusive`` unloads all others when it
runs, except those that are ``persistent``. A matrix lists the sets of models that may run together.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gglib.core.priority import Priority
from gglib.library.importers.configurations.files.documents import Fields
from gglib.library.importers.configurations.plan import Leftover

MAX_SETS = 10_000
_TOO_MANY = f"it has more than {MAX_SETS} combinations"
_TOO_DEEP = "it is nested too deeply"
_WORD = re.compile(r"\s*(\+?[A-Za-z0-9_.-]+|[&|()])")
_AUTO = "'gglib config set max_models auto' keeps as many models as fit into the memory"


@dataclass(frozen=True, slots=True)
class Routing:
    """What the routing of a configuration means."""

    at_once: int = 1
    """The largest number of models that may run at once."""
    where: str | None = None
    """The place that determines it; None: llama-swap's default."""
    pinned: frozenset[str] = frozenset()
    """Models that are not unloaded for others."""
    priorities: Mapping[str, Priority] | None = None
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True)
class _Group:
    members: tuple[str, ...]
    swap: bool
    exclusive: bool
    persistent: bool

    @property
    def at_once(self) -> int:
        """How many of its members may run at once."""
        return min(1, len(self.members)) if self.swap else len(self.members)


def read_routing(document: Fields, models: Collection[str]) -> Routing:
    """Return what ``groups``, ``matrix`` and ``routing`` mean for these models."""
    routing = document.fields("routing")
    router = routing.fields("router")
    settings = router.fields("settings")
    priorities, leftovers = _priorities(routing)
    if "matrix" in document.nodes:
        found = _matrix(document.fields("matrix"))
    elif router.text("use") == "matrix":
        found = _matrix(settings.fields("matrix"))
    else:
        source = document if "groups" in document.nodes else settings
        found = _groups(source, models)
    return Routing(found.at_once, found.where, found.pinned, priorities, (*found.leftovers, *leftovers))


def _groups(source: Fields, models: Collection[str]) -> Routing:
    """Return the meaning of groups; models without one are in a group of llama-swap's own, which swaps."""
    groups = {name: _group(fields) for name, fields in source.tables("groups").items()}
    if not groups:
        return Routing()
    grouped = {member for group in groups.values() for member in group.members}
    rest = tuple(name for name in models if name not in grouped)
    every = [*groups.values(), _Group(rest, swap=True, exclusive=True, persistent=False)]
    staying = sum(group.at_once for group in every if group.persistent or not group.exclusive)
    alone = max((group.at_once for group in every if group.exclusive and not group.persistent), default=0)
    where = source.path("groups")
    leftovers = [
        Leftover(
            f"{where}.{name}",
            "which models run together is decided by their number, not by their group",
            _AUTO,
        )
        for name, group in groups.items()
        if len(group.members) > 1
    ]
    return Routing(max(staying + alone, 1), where, _pinned(every), None, tuple(leftovers))


def _group(fields: Fields) -> _Group:
    flags = {name: fields.boolean(name) for name in ("swap", "exclusive", "persistent")}
    return _Group(
        fields.texts("members"),
        swap=flags["swap"] is not False,
        exclusive=flags["exclusive"] is not False,
        persistent=flags["persistent"] is True,
    )


def _pinned(groups: Sequence[_Group]) -> frozenset[str]:
    """Return the models that persist, unless the members of their group replace each other."""
    return frozenset(
        member
        for group in groups
        if group.persistent and (not group.swap or len(group.members) == 1)
        for member in group.members
    )


def _matrix(matrix: Fields) -> Routing:
    names = {name: matrix.fields("vars").text(name) or name for name in matrix.fields("vars").nodes}
    sets = matrix.fields("sets")
    texts = {name: sets.text(name) or "" for name in sets.nodes}
    leftovers = []
    if "evict_costs" in matrix.nodes:
        leftovers.append(
            Leftover(
                matrix.path("evict_costs"),
                "the model that was used least recently is unloaded first",
                "'gglib pin MODEL' keeps one in memory",
            )
        )
    largest, known = 1, _Combinations(texts, names)
    for name in texts:
        try:
            found = known.of(name)
        except MatrixError as error:
            leftovers.append(Leftover(sets.path(name), str(error)))
        else:
            largest = max(largest, *map(len, found))
            leftovers.append(
                Leftover(
                    sets.path(name),
                    "which models run together is decided by their number, not by sets",
                    _AUTO,
                )
            )
    return Routing(largest, matrix.where, frozenset(), None, tuple(leftovers))


class MatrixError(Exception):
    """A set cannot be read; a phrase."""


_Alternatives = frozenset[frozenset[str]]
"""Sets of models: those of any one of them may run at once."""


class _Combinations:
    """The combinations of the sets of a matrix; each set is read once, however many others refer to it."""

    def __init__(self, texts: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._texts = texts
        self._names = names
        self._found: dict[str, _Alternatives] = {}
        self._open: set[str] = set()
        """The sets that are being read."""

    def of(self, name: str) -> _Alternatives:
        """Return the combinations of a set. Raises ``MatrixError``, also for a set that contains itself."""
        if name in self._found:
            return self._found[name]
        if name not in self._texts or name in self._open:
            raise MatrixError(f"'+{name}' is not another set")
        self._open.add(name)
        try:
            self._found[name] = _SetText(self._texts[name], self._names, self.of).combinations()
        except RecursionError:
            raise MatrixError(_TOO_DEEP) from None
        finally:
            self._open.remove(name)
        return self._found[name]


class _SetText:
    """Reads the text of a set: ``&`` joins models, ``|`` separates alternatives, ``+name`` is another set."""

    def __init__(self, text: str, names: Mapping[str, str], refer: Callable[[str], _Alternatives]) -> None:
        self._names = names
        self._refer = refer
        self._words = deque(_words(text))

    def combinations(self) -> _Alternatives:
        """Return the combinations that the text describes. Raises ``MatrixError``."""
        found = self._alternatives()
        if self._words:
            raise MatrixError(f"'{self._words[0]}' is not expected in it")
        return found

    def _alternatives(self) -> _Alternatives:
        found = self._joined()
        while self._take("|"):
            found |= self._joined()
            if len(found) > MAX_SETS:
                raise MatrixError(_TOO_MANY)
        return found

    def _joined(self) -> _Alternatives:
        found = self._single()
        while self._take("&"):
            other = self._single()
            if len(found) * len(other) > MAX_SETS:
                raise MatrixError(_TOO_MANY)
            found = frozenset(first | second for first in found for second in other)
        return found

    def _single(self) -> _Alternatives:
        word = self._words.popleft() if self._words else ""
        if word == "(":
            found = self._alternatives()
            if not self._take(")"):
                raise MatrixError("a ')' is missing in it")
            return found
        if word.startswith("+"):
            return self._refer(word[1:])
        if word not in self._names:
            raise MatrixError(f"'{word}' is not one of the vars" if word else "a model is missing at its end")
        return frozenset((frozenset((self._names[word],)),))

    def _take(self, word: str) -> bool:
        is_next = bool(self._words) and self._words[0] == word
        if is_next:
            self._words.popleft()
        return is_next


def _words(text: str) -> Iterator[str]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _WORD.match(text, position)
        if found is None:
            raise MatrixError(f"the character '{text[position:].lstrip()[:1]}' is not expected in it")
        yield found[1]
        position = found.end()


def _priorities(routing: Fields) -> tuple[dict[str, Priority], list[Leftover]]:
    """Return the priorities of models: llama-swap has numbers around 0, gglib two classes."""
    fifo = routing.fields("scheduler").fields("settings").fields("fifo").fields("priority")
    numbers = {name: fifo.integer(name, minimum=-(2**31)) or 0 for name in fifo.nodes}
    lower = {name: Priority.BATCH for name, number in numbers.items() if number < 0}
    higher = [name for name, number in numbers.items() if number > 0]
    leftovers = [
        Leftover(
            fifo.path(name),
            "the priorities are interactive, the default, and batch",
            "'gglib set MODEL --priority batch' for the models that can wait",
        )
        for name in higher
    ]
    return lower, leftovers
