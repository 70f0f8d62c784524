"""The environment of the processes that gglib starts. Pure."""

from collections.abc import Mapping, Sequence

from gglib.system.service_manager.protocol import VARIABLES

_SECRET_PREFIXES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GGLIB_", "OPENAI_", "ANTHROPIC_")
_SECRET_SUFFIXES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
"""Keys of other servers among them (``UrlBackend.key_env``)."""


def child_environment(environment: Mapping[str, str], *, dropped: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment of a child process: ``environment`` without secrets, gglib's own settings and service.

    ``dropped`` are the prefixes of further variables that are not passed on, such as those that an engine reads its
    options from.
    """
    prefixes = (*_SECRET_PREFIXES, *VARIABLES, *dropped)
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(prefixes) and not name.endswith(_SECRET_SUFFIXES)
    }
