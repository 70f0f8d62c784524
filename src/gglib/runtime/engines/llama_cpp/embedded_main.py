"""The embedded engine's process: ``python -I embedded_main.py PLAN_FILE``.

Standard library only, and run as a file by its path: at each launch a client waits for it to start.
It knows nothing of gglib beyond the file that it is given. The server runs in its own threads; this one only waits to
be killed: TERM with its default effect ends the process at once, and nothing has to be tidied up.
"""

import json
import signal
import sys
from typing import Any


def main(plan_file: str) -> None:
    """Load the model and serve it until a signal ends the process; a failed load exits with 1."""
    with open(plan_file) as file:  # noqa: PTH123 - pathlib takes 10 ms to import
        plan = json.load(file)
    import xllamacpp  # noqa: PLC0415 - 0.1 s, and a missing library is told as a failed load

    params = xllamacpp.CommonParams()
    params.fit_params = has_gpu(xllamacpp.get_device_info())
    for name, value in plan["fields"].items():
        _set(params, name, value)
    with open(plan["key_file"]) as file:  # noqa: PTH123
        params.api_keys = file.read().split()
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:  # the reason is in the engine's log, above this line
        sys.exit(f"engine: {error}")
    print(f"listening on {server.listening_address}", file=sys.stderr, flush=True)  # noqa: T201
    while True:
        signal.pause()


def has_gpu(devices: list[dict[str, Any]]) -> bool:
    """Whether a model may be put on something else than the processor.

    If not, there is nothing to fit: the context is given, and the engine would load the vocabulary twice to learn that
    nothing changes, which is half of a small model's load.
    """
    return any(device["type"].name.rpartition("_")[2] not in {"CPU", "ACCEL"} for device in devices)


def _set(params: Any, name: str, value: object) -> None:  # noqa: ANN401 - the library is not typed
    *path, last = name.split(".")
    for part in path:
        params = getattr(params, part)
    setattr(params, last, _typed(params, last, value))


def _typed(params: Any, name: str, value: object) -> object:  # noqa: ANN401 - the library is not typed
    """Return what JSON cannot say in the library's own type."""
    if name == "model_alias" and isinstance(value, list):
        return set(value)
    if name == "pooling_type" and isinstance(value, str):
        return type(params.pooling_type)[f"LLAMA_POOLING_TYPE_{value.upper()}"]
    return value


if __name__ == "__main__":
    main(sys.argv[1])
