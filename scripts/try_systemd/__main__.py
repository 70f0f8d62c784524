"""Boots systemd in namespaces of its own, runs the trial there, and ends all of it: ``python -m scripts.try_systemd``.

Needs root, systemd, dbus-daemon and a kernel with overlayfs and cgroup v2; exits with 77 where something is missing.
Nothing outside is changed: see ``boot.sh``.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
SYSTEMD = Path("/usr/lib/systemd/systemd")
CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
"""Where cgroup v2 is mounted: in the hybrid layout, or as the only one."""
BOOT_S = 60.0
SKIPPED = 77


def missing() -> str | None:
    """Return what this machine lacks; None if the trial can run."""
    if os.geteuid() != 0:
        return "it needs root"
    if not SYSTEMD.exists() or shutil.which("dbus-daemon") is None:
        return "it needs systemd and dbus-daemon: apt-get install systemd dbus"
    if cgroup_root() is None:
        return "it needs cgroup v2"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "it needs overlayfs"
    return None


def cgroup_root() -> Path | None:
    """Return where cgroup v2 is mounted; None if it is not."""
    return next((root for root in CGROUPS if (root / "cgroup.procs").exists()), None)


def main() -> int:
    """Run the trial; return its exit code."""
    if (reason := missing()) is not None:
        print(f"Not run: {reason}.")
        return SKIPPED
    root = cgroup_root()
    assert root is not None
    group = Path(tempfile.mkdtemp(prefix="gglib-trial-", dir=root))
    group.chmod(0o755)  # inside, it is the root of all control groups
    base = tempfile.mkdtemp(prefix="gglib-trial-")
    unshare = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--cgroup", "--ipc", "--uts", "--net"]
    booting = subprocess.Popen(
        [*unshare, "sh", str(HERE / "boot.sh"), base, str(SOURCE)],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),  # noqa: PLW1509 - one thread
    )
    try:
        pid = manager_pid(booting)
        inside = ["nsenter", "--target", str(pid), "--all", "--wdns=/opt/gglib-try/source"]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": "src:.",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
        }
        return subprocess.run(
            [*inside, sys.executable, "-m", "scripts.try_systemd.trial", *sys.argv[1:]],
            env=environment,
            check=False,
        ).returncode
    finally:
        booting.kill()  # unshare ignores SIGTERM; its child, and with it all of the namespace, is killed by the kernel
        booting.wait()
        remove(group, Path(base))


def manager_pid(booting: subprocess.Popen[bytes]) -> int:
    """Return the process id of systemd, once it runs its target. Raises RuntimeError if it does not."""
    children = Path(f"/proc/{booting.pid}/task/{booting.pid}/children")
    end_s = time.monotonic() + BOOT_S
    while time.monotonic() < end_s and booting.poll() is None:
        with suppress(OSError, LookupError):
            pid = int(children.read_text().split()[0])
            state = ["nsenter", "--target", str(pid), "--all", "systemctl", "is-active", "trial.target"]
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                done = subprocess.run(state, capture_output=True, text=True, check=False)
                if done.stdout.strip() == "active":
                    return pid
        time.sleep(0.2)
    raise RuntimeError("systemd did not start in its namespaces")


def remove(group: Path, base: Path) -> None:
    """Remove the control groups, whose processes have been killed with the namespace, and the directory."""
    end_s = time.monotonic() + 10
    while group.exists() and time.monotonic() < end_s:
        for directory in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                directory.rmdir()
        with suppress(OSError):
            group.rmdir()
        time.sleep(0.1)
    with suppress(OSError):
        base.rmdir()


if __name__ == "__main__":
    sys.exit(main())
