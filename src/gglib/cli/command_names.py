"""The names of all commands, in groups. Pure."""

GROUPS = {
    "start": ("up", "serve", "run", "service", "completion"),
    "clients": ("connect", "launch", "dashboard"),
    "hub": ("search", "pull"),
    "models": (
        "add",
        "import",
        "list",
        "show",
        "set",
        "tune",
        "alias",
        "profile",
        "rm",
        "prune",
        "verify",
        "outdated",
        "backup",
        "restore",
    ),
    "engines": ("engine",),
    "settings": ("config", "key"),
    "nodes": ("node", "cluster"),
    "running": (
        "ps",
        "top",
        "requests",
        "usage",
        "load",
        "unload",
        "pin",
        "unpin",
        "stop",
        "reload",
        "logs",
        "doctor",
    ),
}
"""Commands by subpackage of ``gglib.cli.commands``, in the order in which a newcomer needs them."""
COMMANDS = tuple(name for names in GROUPS.values() for name in names)
HIDDEN_COMMANDS = ("help", "version")
"""Modules of ``gglib.cli.commands`` itself: words for ``--help`` and ``--version``, which the overview lists."""
HEADINGS = {
    "start": "Start",
    "clients": "Connect other programs",
    "hub": "Find and download models",
    "models": "Manage local models",
    "engines": "Manage engines",
    "settings": "Settings and access",
    "nodes": "Use other machines",
    "running": "Load, inspect and stop",
}

SERVING_COMMANDS = frozenset(("up", "serve"))
"""For these, ``GGLIB_HOST`` is the address to listen on."""
REMOTE_COMMANDS = frozenset(
    (
        *("run", "connect", "launch", "dashboard", "search", "pull", "add", "list", "show", "set", "alias"),
        *("rm", "ps", "top", "requests", "usage", "load", "unload", "pin", "unpin", "stop", "reload"),
        "doctor",
    )
)
"""The commands that work on a remote server. The others use the files and processes of this machine."""
