"""One exchange with a cluster, in a process of its own: ``python -m gglib.app.cluster.agent_command``.

Reads a request as JSON from stdin and prints the result as JSON. Ray writes messages to stdout, too: they go to
stderr. A call may wait for an absent head for ever: the caller ends the process.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Any

import msgspec

from gglib.app.cluster.served_home import AgentHome
from gglib.nodes.ray.agents import (
    AgentCalls,
    agent_names,
    connected,
    create_agent,
    other_nodes,
    raylets,
    remove_agent,
)
from gglib.nodes.ray.messages import AgentReport  # noqa: TC001 - of a local variable
from gglib.nodes.ray.sidecar import members_of

SERVE_S = 60.0
"""How long the gglib of a new node may take until it serves."""
ANSWER_S = 3.0


def create(request: dict[str, Any]) -> dict[str, Any]:
    """Create the agent of a node, and return its report as soon as its gglib serves, or the last one.

    ``taken_at``: another machine has the name.
    """
    name = request["name"]
    others = other_nodes(name, request["node_ip"], request["port"])
    if others:
        return {"taken_at": others[0]}
    create_agent(name, AgentHome(request["home"], request["node_ip"]))
    calls, deadline = AgentCalls(), monotonic() + SERVE_S
    report: AgentReport | None = None
    while monotonic() < deadline and (report is None or report.url is None):
        report = calls.ask([name], ANSWER_S).get(name, report)
        sleep(0.2)
    return {"report": msgspec.to_builtins(report)}


def remove(request: dict[str, Any]) -> dict[str, Any]:
    """Remove the agent of a node."""
    return {"removed": remove_agent(request["name"])}


def status(_request: dict[str, Any]) -> dict[str, Any]:
    """Return the members, without their keys."""
    names = agent_names()
    members = members_of(names, raylets(), AgentCalls().ask(names, ANSWER_S))
    shown: list[dict[str, Any]] = msgspec.to_builtins(members)
    for member in shown:
        if member["report"] is not None:
            del member["report"]["key"]
    return {"members": shown}


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "create": create,
    "remove": remove,
    "status": status,
}


def main(_arguments: Sequence[str]) -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with connected(request["address"], request["node_ip"]):
        answer = ACTIONS[request["action"]](request)
    answers.write(json.dumps(answer))
    answers.close()
    os._exit(0)  # without Ray's exit handlers: it is disconnected


if __name__ == "__main__":
    main(sys.argv[1:])
