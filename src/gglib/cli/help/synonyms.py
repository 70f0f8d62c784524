"""The words that users try: synonyms of commands, and what to type instead of other programs' commands. Pure."""

import difflib
from collections.abc import Iterable, Mapping

SYNONYMS: Mapping[str, str] = {"ls": "list", "delete": "rm", "remove": "rm"}
"""Other names of commands with the same arguments. They are few, so that scripts and docs use one name."""

INSTEAD: Mapping[str, str] = {
    "bench": "'gglib tune MODEL' measures engine arguments, '--dry-run' without keeping the fastest.",
    "benchmark": "'gglib tune MODEL' measures engine arguments, '--dry-run' without keeping the fastest.",
    "cancel": "'gglib requests --cancel ID' cancels a request in progress.",
    "chat": "Did you mean 'run'?",
    "cost": "Did you mean 'usage'?",
    "costs": "Did you mean 'usage'?",
    "copy": "'gglib alias NEW MODEL' gives a model another name.",
    "cp": "'gglib alias NEW MODEL' gives a model another name.",
    "create": "'gglib profile set NAME --model MODEL' creates a variant of a model: MODEL:NAME.",
    "download": "Did you mean 'pull'?",
    "exit": "'gglib stop' unloads the models, 'gglib stop --server' stops the server.",
    "fetch": "Did you mean 'pull'?",
    "find": "Did you mean 'search'?",
    "get": "Did you mean 'pull'?",
    "history": "Did you mean 'requests'?",
    "images": "Did you mean 'list'?",
    "info": "Did you mean 'show'?",
    "init": "Did you mean 'up'?",
    "inspect": "Did you mean 'show'?",
    "install": "Did you mean 'pull'?",
    "kill": "'gglib stop' unloads the models, 'gglib stop --server' stops the server.",
    "log": "'gglib logs' prints the log, 'gglib requests' lists the requests.",
    "login": "The variable HF_TOKEN has the access token for 'gglib pull'.",
    "models": "Did you mean 'list'?",
    "mv": "'gglib set MODEL --name NEW' renames a model.",
    "push": "gglib does not publish models.",
    "quit": "'gglib stop' unloads the models, 'gglib stop --server' stops the server.",
    "rename": "'gglib set MODEL --name NEW' renames a model.",
    "restart": "'gglib stop --server' and 'gglib serve' restart it, 'gglib reload' applies changed settings.",
    "rmi": "Did you mean 'rm'?",
    "setup": "Did you mean 'up'?",
    "shutdown": "'gglib stop --server' stops the server.",
    "start": "'gglib up' sets up and starts the server, 'gglib serve' starts it, 'gglib load MODEL' loads a model.",
    "stats": "'gglib usage' adds up requests and tokens, 'gglib top' shows what happens now.",
    "status": "'gglib ps' shows the models in memory, 'gglib doctor' checks this machine.",
    "tail": "'gglib requests -f' prints requests as they end, 'gglib logs -f' the log.",
    "tokens": "Did you mean 'usage'?",
    "uninstall": "Did you mean 'rm'?",
    "update": "'gglib outdated' lists the models with a newer version, 'gglib pull' downloads it.",
    "upgrade": "'gglib outdated' lists the models with a newer version, 'gglib pull' downloads it.",
}
"""What to type instead of commands of Ollama, docker, pip and LM Studio that gglib does not have."""

_CONFIG_SHOWS = "'gglib config' shows all settings."
INSTEAD_IN: Mapping[str, Mapping[str, str]] = {
    "key": {
        **dict.fromkeys(("add", "create", "generate", "make"), "Did you mean 'new'?"),
        **dict.fromkeys(("del", "delete", "remove", "rm"), "Did you mean 'revoke'?"),
        **dict.fromkeys(("ls", "show"), "Did you mean 'list'?"),
        **dict.fromkeys(("change", "edit", "limits", "quota", "rate", "set"), "Did you mean 'limit'?"),
    },
    "node": {
        **dict.fromkeys(("del", "delete", "rm"), "Did you mean 'remove'?"),
        "new": "Did you mean 'add'?",
        **dict.fromkeys(("ls", "show", "status"), "Did you mean 'list'?"),
        **dict.fromkeys(("resume", "undrain"), "Did you mean 'drain --undo'?"),
    },
    "cluster": {
        **dict.fromkeys(("create", "new", "start", "up"), "Did you mean 'init'?"),
        **dict.fromkeys(("list", "ls", "nodes", "ps", "show"), "Did you mean 'status'?"),
        "join": "'gglib node join HOST:PORT --token-file FILE' makes this machine a node of a cluster.",
        **dict.fromkeys(
            ("down", "leave", "remove", "stop"), "'gglib node leave' ends the part of this machine."
        ),
    },
    "config": {
        **dict.fromkeys(("list", "ls", "show"), _CONFIG_SHOWS),
        **dict.fromkeys(("del", "delete", "remove", "reset", "rm"), "Did you mean 'unset'?"),
        **dict.fromkeys(("add", "change", "put"), "Did you mean 'set'?"),
    },
    "engine": {
        **dict.fromkeys(("add", "download", "get", "pull", "update", "upgrade"), "Did you mean 'install'?"),
        **dict.fromkeys(("del", "delete", "rm", "uninstall"), "Did you mean 'remove'?"),
        **dict.fromkeys(("choose", "select", "set", "switch"), "Did you mean 'use'?"),
        **dict.fromkeys(("ls", "show"), "Did you mean 'list'?"),
    },
    "profile": {
        **dict.fromkeys(("del", "delete", "remove"), "Did you mean 'rm'?"),
        **dict.fromkeys(("add", "create", "new"), "Did you mean 'set'?"),
    },
}
"""What to type instead of a word that a group of commands does not have, by group."""

_MAX_SUGGESTIONS = 3
_CUTOFF = 0.7
"""Of ``difflib``: 'lst' is like 'list' (0.86), not like 'set' (0.67)."""


def unknown_command(word: str, commands: Iterable[str], instead: Mapping[str, str] = INSTEAD) -> str:
    """Return the message for a word that is none of ``commands``: similar ones, or what to type instead.

    For a word like a synonym, the command itself is suggested.
    """
    folded, known = word.casefold(), list(commands)
    hint = instead.get(folded)
    if hint is None:
        begin = [name for name in known if name.startswith(folded)]
        close = difflib.get_close_matches(folded, known, n=_MAX_SUGGESTIONS, cutoff=_CUTOFF)
        names = dict.fromkeys(SYNONYMS.get(name, name) for name in (*begin, *close))
        hint = did_you_mean(list(names)[:_MAX_SUGGESTIONS])
    return f"Unknown command '{word}'.{f' {hint}' if hint else ''}"


def did_you_mean(names: list[str]) -> str:
    """Return a question with the names; empty without names."""
    quoted = [f"'{name}'" for name in names]
    *first, last = quoted or [""]
    return f"Did you mean {', '.join(first)}{' or ' if first else ''}{last}?" if last else ""


def synonyms_of(command: str) -> list[str]:
    """Return the synonyms of a command, in alphabetical order."""
    return sorted(word for word, name in SYNONYMS.items() if name == command)
