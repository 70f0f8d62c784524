"""The effect of each option of the units' sandbox: a probe that works without the option and fails with it."""

import subprocess
import sys
from collections.abc import Callable

from gglib.app.service.systemd_units import SANDBOX, SYSTEM_SANDBOX

PROBES = {
    "NoNewPrivileges": "assert 'NoNewPrivs:\\t0' in open('/proc/self/status').read()",
    "LockPersonality": "import ctypes; assert ctypes.CDLL(None).personality(0x0004000) != -1",
    "RestrictSUIDSGID": "import os; open('/tmp/probe','w'); os.chmod('/tmp/probe', 0o4755)",
    "RestrictAddressFamilies": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "ProtectSystem": "open('/usr/probe', 'w')",
    "ProtectHome": "open('/home/probe', 'w')",
    "PrivateTmp": "open('/tmp/of-the-machine')",
    "ProtectKernelTunables": "open('/proc/sys/kernel/hostname', 'r+').write('probe')",
    "ProtectKernelLogs": "import ctypes; assert ctypes.CDLL(None).klogctl(10, None, 0) >= 0",
    "ProtectControlGroups": "import os; os.mkdir('/sys/fs/cgroup/probe'); os.rmdir('/sys/fs/cgroup/probe')",
    "ProtectHostname": "import socket; socket.sethostname('probe')",
    "RestrictNamespaces": "import ctypes; assert ctypes.CDLL(None).unshare(0x04000000) == 0",
    "CapabilityBoundingSet": "assert 'CapBnd:\\t0000000000000000' not in open('/proc/self/status').read()",
    "ProtectKernelModules": "open('/usr/lib/modules/probe')",
}
"""Programs that end with an error if the option forbids what they do. As root: capabilities forbid nothing then."""


def check_sandbox(run: Callable[..., str]) -> None:
    """Probe each option alone. Raises RuntimeError for one without an effect, and for one that breaks its probe."""
    run("touch", "/tmp/of-the-machine")  # noqa: S108 - the trial's own root
    run("mkdir", "-p", "/usr/lib/modules")
    run("touch", "/usr/lib/modules/probe")
    ineffective = []
    for name, value in (*SANDBOX, *SYSTEM_SANDBOX):
        without, with_option = _probe(name), _probe(name, f"{name}={value}")
        print(f"  {name}={value}: {'forbids' if without and not with_option else 'NO EFFECT'}")
        if not without or with_option:
            ineffective.append(name)
    if ineffective:
        raise RuntimeError(f"no effect was seen of {', '.join(ineffective)}")


def _probe(name: str, *properties: str) -> bool:
    """Return whether the probe of an option succeeds in a unit with these properties."""
    options = [f"--property={item}" for item in properties]
    words = ["systemd-run", "--quiet", "--wait", "--pipe", *options, sys.executable, "-c", PROBES[name]]
    return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
