"""The units of systemd for a service: the program, and the sockets that stay open while it restarts. Pure.

Each option of the sandbox was tried with systemd itself (``python -m scripts.try_systemd``). Left out are those that
take away GPUs or engines: ``PrivateDevices=``, ``DevicePolicy=`` and ``ProtectClock=`` (it implies the second)
hide the devices of GPUs; ``MemoryDenyWriteExecute=`` breaks compilers at run time (CUDA, Vulkan, Metal);
``RestrictRealtime=`` the engine's ``--prio``; ``ProtectProc=`` the memory of other programs on a GPU; ``PrivateUsers=``
and what implies it in units of a user (``ProtectSystem=``, ``PrivateTmp=`` …) the groups that may use the GPUs.
"""

from collections.abc import Sequence

from gglib.app.service.plan import HOME_VARIABLE, NAME, SYSTEM_HOME, ServiceFile, ServicePlan
from gglib.app.service.systemd_text import command_line, quoted, section, unquoted

SERVICE = f"{NAME}.service"
SOCKET = f"{NAME}.socket"
OLLAMA_SOCKET = f"{NAME}-ollama.socket"
UNITS = (SERVICE, SOCKET, OLLAMA_SOCKET)
"""All units that a service may have."""
WATCHDOG_S = 60
"""After this time without a sign of the event loop the server is restarted; long enough for a machine that swaps."""
BACKLOG = 4_096
"""Connections that wait during a restart; the kernel limits it to ``net.core.somaxconn``."""

SANDBOX = (
    ("NoNewPrivileges", "yes"),
    ("LockPersonality", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
)
"""For units of users, too: none of them needs a namespace."""
SYSTEM_SANDBOX = (
    ("ProtectSystem", "strict"),
    ("ProtectHome", "read-only"),
    ("PrivateTmp", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("RestrictNamespaces", "yes"),
    ("CapabilityBoundingSet", ""),
)


def unit_files(plan: ServicePlan) -> tuple[ServiceFile, ...]:
    """Return the units of a service. Raises ``InvalidSettingError`` for a path that cannot be part of a unit."""
    files = [ServiceFile(SERVICE, service_unit(plan))]
    if plan.listen:
        files.append(ServiceFile(SOCKET, socket_unit("Address of gglib", NAME, plan.listen)))
    if plan.ollama_listen:
        files.append(
            ServiceFile(
                OLLAMA_SOCKET,
                socket_unit("Address of gglib for clients of Ollama", "ollama", plan.ollama_listen),
            )
        )
    return tuple(files)


def service_unit(plan: ServicePlan) -> str:
    """Return the unit of the program."""
    sockets = [SOCKET] * bool(plan.listen) + [OLLAMA_SOCKET] * bool(plan.ollama_listen)
    unit = [("Description", "gglib: local models at one address")]
    unit += [("Requires", name) for name in sockets]
    unit += [
        ("After", " ".join(("network.target", *sockets))),
        ("StartLimitIntervalSec", "60"),
        ("StartLimitBurst", "5"),
    ]
    service = [("Type", "notify"), ("ExecStart", command_line(plan.arguments))]
    service += [("Environment", quoted(f"{name}={value}")) for name, value in plan.environment.items()]
    service += [
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("KillMode", "mixed"),
        ("TimeoutStopSec", str(plan.stop_timeout_s)),
        ("WatchdogSec", str(WATCHDOG_S)),
        ("Restart", "on-failure"),
        ("RestartSec", "2"),
        ("OOMPolicy", "continue"),
        *(("Sockets", name) for name in sockets),
        *SANDBOX,
    ]
    if plan.user is not None:
        service += _of_machine(plan, plan.user)
    target = "multi-user.target" if plan.is_system else "default.target"
    sections = (
        section("Unit", unit),
        section("Service", service),
        section("Install", [("WantedBy", target)]),
    )
    return "\n".join(sections)


def home_in_unit(text: str) -> str | None:
    """Return the data directory that the unit of the program sets; None if it sets none."""
    for line in text.splitlines():
        key, _, value = line.partition("=")
        name, _, home = unquoted(value).partition("=")
        if key == "Environment" and name == HOME_VARIABLE:
            return home
    return None


def socket_unit(description: str, name: str, listen: Sequence[str]) -> str:
    """Return a unit of addresses; ``name`` is their name in ``LISTEN_FDNAMES``."""
    unit = [("Description", description)]
    sockets = [("ListenStream", address) for address in listen]
    # An address of a network that is not up yet at the start of the machine.
    sockets += [("FreeBind", "yes"), ("Backlog", str(BACKLOG))]
    sockets += [("FileDescriptorName", name), ("Service", SERVICE)]
    return "\n".join(
        (
            section("Unit", unit),
            section("Socket", sockets),
            section("Install", [("WantedBy", "sockets.target")]),
        )
    )


def _of_machine(plan: ServicePlan, user: str) -> list[tuple[str, str]]:
    lines = [("User", user)]
    if plan.groups:
        lines.append(("SupplementaryGroups", " ".join(plan.groups)))
    if plan.home == SYSTEM_HOME:
        lines += [("StateDirectory", NAME), ("StateDirectoryMode", "0700")]
    elif plan.home is not None:
        lines.append(("ReadWritePaths", quoted(plan.home)))
    return [*lines, *SYSTEM_SANDBOX]
