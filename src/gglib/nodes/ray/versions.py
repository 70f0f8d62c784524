"""Whether this machine can take part in a cluster, and why Ray refuses it: one sentence each. Pure."""

import re

INSTALL_COMMAND = "pip install 'gglib[ray]'"

_VERSIONS = re.compile(
    r"Ray: (?P<ray>\S+)\s+Python: (?P<python>\S+).*?Ray: (?P<own_ray>\S+)\s+Python: (?P<own_python>\S+)",
    re.DOTALL,
)
_UNAUTHENTICATED = "InvalidAuthToken"
_NO_HEAD = ("Failed to connect to GCS", "Timed out while waiting for GCS")
_NO_RAYLET = "timed out during startup"
"""Ray's own words when its processes do not come up, most often because of a port, which only their logs name."""
_PORT_IN_USE = ("Address already in use", "port is already in use", "already running at")


def unavailable(system: str, *, is_installed: bool) -> str | None:
    """Return why a cluster cannot be used here; None if it can. ``system`` is that of ``platform.system()``."""
    if system != "Linux":
        return "Clusters need Linux: 'gglib node add URL' adds another machine by its address."
    if not is_installed:
        return f"Clusters need Ray, which is not installed: {INSTALL_COMMAND}"
    return None


def start_failure(output: str, address: str, first_port: int) -> str | None:
    """Return why ``ray start`` fails, from what it has printed so far; None if nothing is wrong yet.

    It tries again for minutes after some of these failures.
    """
    if _UNAUTHENTICATED in output:
        return f"The cluster at {address} refuses the token: copy the token file of its head again."
    if any(words in output for words in _NO_HEAD):
        return (
            f"The head of the cluster at {address} cannot be reached: check the address and the firewall, "
            "and start it there with 'gglib cluster init'."
        )
    return _different_versions(output) or _port_in_use(output, first_port)


def _different_versions(output: str) -> str | None:
    if "Version mismatch" not in output:
        return None
    found = _VERSIONS.search(output.partition("Version mismatch")[2])
    if found is None:
        return (
            "The versions of Ray and Python of this machine and the cluster differ: install the same on both."
        )
    return (
        f"The cluster has Ray {found['ray']} and Python {found['python']}, this machine Ray {found['own_ray']} and "
        f"Python {found['own_python']}: install gglib here with the same Python, with {INSTALL_COMMAND}"
    )


def _port_in_use(output: str, first_port: int) -> str | None:
    if _NO_RAYLET in output:
        return (
            "Ray's processes did not start, probably because one of their ports is in use on this machine: choose "
            f"other ports than those from {first_port} with --first-port."
        )
    if not any(words in output for words in _PORT_IN_USE):
        return None
    return (
        f"A port of the cluster is in use on this machine: stop the program that has it, or choose other ports than "
        f"those from {first_port} with --first-port."
    )
