"""Write the diagrams of docs/architecture.md from the transition tables in the code (``make diagrams``).

Each stands between two markers, so that the text around it is written by hand. ``--check`` writes nothing and fails if
a diagram differs from its table.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from scripts.marked_document import write_parts

from gglib.http.server import connection, deadlines
from gglib.proxy import response
from gglib.runtime.scheduler import state as resident

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"
BEGIN, END = "<!-- diagram {}: written by `make diagrams` -->", "<!-- end of diagram {} -->"
ANY = "ANY"
MANY = 5
"""An event that leads from all other states to the same state is drawn once if there are at least this many."""


class Move(NamedTuple):
    """An arrow of a diagram."""

    source: Enum
    label: str
    target: Enum


def moves_of(table: Iterable[tuple[tuple[Enum, Enum], Enum]]) -> list[Move]:
    """Return the arrows of a table of events."""
    return [Move(source, event.value, target) for (source, event), target in table]


def unlabelled_moves_of(table: Iterable[tuple[Enum, Iterable[Enum]]]) -> list[Move]:
    """Return the arrows of a table that lists the successors of each state."""
    return [Move(source, "", target) for source, targets in table for target in targets]


def arrows_of(moves: list[Move]) -> list[tuple[str, str, str]]:
    """Return source, target and label of each arrow, by the states' names; see ``MANY``."""
    leaving = {move.source for move in moves}
    sources: dict[tuple[str, Enum], set[Enum]] = defaultdict(set)
    for source, label, target in moves:
        sources[label, target].add(source)
    arrows = []
    for (label, target), starts in sources.items():
        is_from_any = len(starts) >= MANY and starts == leaving - {target}
        arrows += [(ANY if is_from_any else start.name, target.name, label) for start in starts]
    order = [*type(moves[0].source).__members__, ANY]
    return sorted(set(arrows), key=lambda arrow: (order.index(arrow[0]), order.index(arrow[1]), arrow[2]))


def diagram(moves: list[Move]) -> str:
    """Return a Mermaid diagram, without moves that change nothing.

    The first member of the states' enum is the initial state; a state without outgoing moves is final.
    """
    moves = [move for move in moves if move.source is not move.target]
    states, arrows = list(type(moves[0].source)), arrows_of(moves)
    lines = [f'state "{state.value}" as {state.name}' for state in states]
    if arrows[-1][0] == ANY:
        lines.append(f'state "any of these" as {ANY}')
    lines.append(f"[*] --> {states[0].name}")
    lines += [f"{source} --> {target}" + (f" : {label}" if label else "") for source, target, label in arrows]
    leaving = {move.source for move in moves}
    lines += [f"{state.name} --> [*]" for state in states if state not in leaving]
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"])


def diagrams() -> dict[str, str]:
    """Return all diagrams by name."""
    return {
        "response": diagram(moves_of(response.TRANSITIONS.items())),
        "connection": diagram(moves_of(connection.TRANSITIONS.items())),
        "deadlines": diagram(moves_of(deadlines.TRANSITIONS.items())),
        "resident": diagram(unlabelled_moves_of(resident._TRANSITIONS.items())),  # noqa: SLF001 - only drawn
    }


def main() -> int:
    """Write all diagrams, or check them."""
    return write_parts(DOCUMENT, diagrams, markers=(BEGIN, END), about=__doc__ or "", command="make diagrams")


if __name__ == "__main__":
    sys.exit(main())
