"""Parses the output of ``llama-server --list-devices``. Pure."""

import re

LIST_OPTION = "--list-devices"
_HEAD = "Available devices:"
_DEVICE = re.compile(
    r"^\s+(?P<name>[^\s:]+(?:\[[^\]]*\])?): .*\((?P<total>\d+) MiB, \d+ MiB free\)\s*$", re.MULTILINE
)


def parse_devices(output: str) -> tuple[str, ...] | None:
    """Return the names of the devices with memory of their own (``CUDA0``, ``Vulkan1``); None without a list.

    The format is that of ``common/arg.cpp``: a line for each device other than the CPU. An accelerator of the CPU
    (``BLAS``) has no memory, and an ``RPC`` device is on another machine.
    """
    _, head, rest = output.partition(_HEAD)
    if not head:
        return None
    return tuple(
        device["name"]
        for device in _DEVICE.finditer(rest)
        if int(device["total"]) > 0 and not device["name"].startswith("RPC")
    )
