"""Creates the agents of the contract suite: ``create_agents ADDRESS NODE_IP NAME=DIRECTORY ...``."""

import os
import sys
from time import sleep

from tests.ray.program_home import ProgramHome

from gglib.nodes.ray.agents import AgentCalls, connected, create_agent


def main(address: str, node_ip: str, *nodes: str) -> None:
    """Create them, and wait until each says where its node is."""
    homes = dict(node.split("=", 1) for node in nodes)
    with connected(address, node_ip):
        for name, directory in homes.items():
            create_agent(name, ProgramHome(directory))
        calls, serving = AgentCalls(), set[str]()
        while serving != set(homes):
            reports = calls.ask(list(homes), 1)
            serving |= {name for name, report in reports.items() if report.url}
            sleep(0.1)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
