"""Creates, finds and removes the agents of a cluster, as a driver of Ray. For processes that may end at any time."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from time import sleep
from typing import Any

from ray.exceptions import RayError

import ray
from gglib.nodes.ray.agent import NodeAgent
from gglib.nodes.ray.environment import AGENT_PREFIX, NAMESPACE, NODE_LABEL
from gglib.nodes.ray.messages import AgentReport, read_report
from gglib.nodes.ray.serve_keeper import ServedHome

NAME_ATTEMPTS = 50
NAME_RETRY_S = 0.2


@contextlib.contextmanager
def connected(address: str, node_ip: str | None) -> Iterator[str]:
    """Be a driver of the cluster during the block; yields what identifies the cluster.

    A raylet of the cluster has to run on this machine: it is found by ``node_ip``; None: by the default address.
    """
    ray.init(
        address=address,
        namespace=NAMESPACE,
        log_to_driver=False,
        configure_logging=False,
        logging_level=logging.ERROR,
        **({} if node_ip is None else {"_node_ip_address": node_ip}),
    )
    try:
        yield ray.get_runtime_context().get_session_name()
    finally:
        ray.shutdown()


def agent_names() -> list[str]:
    """Return the names of the nodes that have an agent, also if it does not run at the moment."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    return sorted(
        actor["name"].removeprefix(AGENT_PREFIX)
        for actor in actors
        if actor["namespace"] == NAMESPACE and actor["name"].startswith(AGENT_PREFIX)
    )


def raylets() -> dict[str, tuple[str, bool]]:
    """Return the address of each node by name, and whether its raylet is there."""
    found: dict[str, tuple[str, bool]] = {}
    for node in ray.nodes():
        name = node["Labels"].get(NODE_LABEL)
        if name is not None and (node["Alive"] or name not in found):
            found[name] = (node["NodeManagerAddress"], node["Alive"])
    return found


def other_nodes(name: str, node_ip: str, port: int) -> list[str]:
    """Return the addresses of connected nodes of this name other than the one at this address.

    A raylet that was killed a moment ago is still among those at its own address.
    """
    return [
        node["NodeManagerAddress"]
        for node in ray.nodes()
        if node["Alive"]
        and node["Labels"].get(NODE_LABEL) == name
        and (node["NodeManagerAddress"], node["NodeManagerPort"]) != (node_ip, port)
    ]


def create_agent(name: str, home: ServedHome) -> None:
    """Create the agent of a node, in place of the one that a node of this name may have had."""
    for _ in range(NAME_ATTEMPTS):
        remove_agent(name)
        # ValueError: the name of an agent that ends is free a moment later.
        with contextlib.suppress(ValueError):
            _create(name, home)
            return
        sleep(NAME_RETRY_S)
    _create(name, home)


def _create(name: str, home: ServedHome) -> None:
    ray.remote(NodeAgent).options(
        name=AGENT_PREFIX + name,
        namespace=NAMESPACE,
        lifetime="detached",
        max_restarts=-1,
        max_task_retries=0,
        num_cpus=0,
        label_selector={NODE_LABEL: name},
    ).remote(home)


def remove_agent(name: str) -> bool:
    """End the agent of a node for good; False if there is none. Its gglib keeps running."""
    try:
        agent = ray.get_actor(AGENT_PREFIX + name, NAMESPACE)
    except ValueError:
        return False
    ray.kill(agent, no_restart=True)
    return True


class AgentCalls:
    """Asks all agents, one call at a time to each: an agent that does not answer delays no other one."""

    def __init__(self) -> None:
        self._calls: dict[str, Any] = {}
        """The call in progress, by name."""

    def ask(self, names: Sequence[str], within_s: float) -> dict[str, AgentReport]:
        """Return the report of each agent that answers in time."""
        for gone in self._calls.keys() - set(names):
            del self._calls[gone]
        for name in names:
            if name not in self._calls:
                self._call(name)
        if self._calls:
            ray.wait(list(self._calls.values()), num_returns=len(self._calls), timeout=within_s)
        reports = {name: self._take(name) for name in list(self._calls)}
        return {name: report for name, report in reports.items() if report is not None}

    def _call(self, name: str) -> None:
        # ValueError: the agent was removed a moment ago.
        with contextlib.suppress(ValueError, RayError):
            self._calls[name] = ray.get_actor(AGENT_PREFIX + name, NAMESPACE).report.remote()

    def _take(self, name: str) -> AgentReport | None:
        """Return the result of the call to an agent, if it has ended."""
        call = self._calls[name]
        ready, _ = ray.wait([call], timeout=0)
        if not ready:
            return None
        del self._calls[name]
        try:
            return read_report(ray.get(call))
        except RayError:
            return None
