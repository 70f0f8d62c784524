"""The parts of a model that a command or a server elsewhere serves, for ``gglib show``. Pure."""

from gglib.cli.views import render
from gglib.core.backends import DEFAULT_HEALTH_PATH, CommandBackend, UrlBackend
from gglib.core.models import ModelSummary


def backend_fields(model: ModelSummary) -> dict[str, str | None]:
    """Return the parts that are set, with their labels; those with their default are None. None of llama.cpp."""
    backend = model.backend
    if backend is None:
        return {}
    common = {"Named there": backend.model, "Paths": " ".join(backend.routes)}
    if isinstance(backend, UrlBackend):
        return {**common, "Key from": backend.key_env, "Trusts": backend.ca_file}
    return {**common, **_launch_fields(backend)}


def _launch_fields(command: CommandBackend) -> dict[str, str | None]:
    start_s = command.start_timeout_s
    return {
        "Directory": str(command.directory or "/") if command.argv else None,  # hidden, like the words
        "Ready at": None if command.health_path == DEFAULT_HEALTH_PATH else command.health_path,
        "Starts in": None if start_s is None else f"at most {render.exact_duration(start_s)}",
        "Stopped by": None if command.stop_signal == "TERM" else f"SIG{command.stop_signal}",
        "Memory": ", ".join(f"{device} {render.size(size_bytes)}" for device, size_bytes in command.memory),
        "Slots": None if command.slots is None else str(command.slots),
    }
