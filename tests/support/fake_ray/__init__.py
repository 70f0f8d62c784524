"""A directory for ``PYTHONPATH`` whose ``ray`` knows a cluster of one node."""

from pathlib import Path

DIRECTORY = Path(__file__).parent
NODE_VARIABLE = "FAKE_CLUSTER_NODE"
"""The node in the environment: ``NAME=URL``."""
