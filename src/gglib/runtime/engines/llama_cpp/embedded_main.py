"""The embedded engine's process: ``python -I embedded_main.py PLAN_FILE``.

Standard library only, and run as a file by its path, because its start delays each load. Independent of gglib
except for the plan file. The server runs in its own threads; the main thread only waits for a signal: SIGTERM's default
action ends the process at once, and there is nothing to clean up.
"""

import json
import signal
import sys
from typing import Any


def main(plan_file: str) -> None:
    """Load the model and serve it until a signal ends the process; exits with 1 if the load fails."""
    with open(plan_file) as file:  # noqa: PTH123 - pathlib takes 10 ms to import
        plan = json.load(file)
    import xllamacpp  # noqa: PLC0415 - 0.1 s, and a missing library is reported as a failed load

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
    """Whether a model can be offloaded to a device other than the CPU.

    If not, parameter fitting is switched off. It would load the vocabulary again without changing anything, which takes
    half of a small model's load time.
    """
    return any(device["type"].name.rpartition("_")[2] not in {"CPU", "ACCEL"} for device in devices)


def _set(params: Any, name: str, value: object) -> None:  # noqa: ANN401 - the library is not typed
    *path, last = name.split(".")
    for part in path:
        params = getattr(params, part)
    setattr(params, last, _typed(params, last, value))


def _typed(params: Any, name: str, value: object) -> object:  # noqa: ANN401 - the library is not typed
    """Convert values that JSON cannot express to the library's types."""
    if isinstance(value, str):
        own = type(getattr(params, name))
        return own[value] if hasattr(own, "__members__") else value
    if isinstance(value, list):
        return _typed_list(params, name, value)
    return value


def _typed_list(params: Any, name: str, values: list[Any]) -> object:  # noqa: ANN401 - the library is not typed
    import xllamacpp  # noqa: PLC0415 - loaded by now

    own = getattr(params, name)
    converters: dict[str, Any] = {
        "model_alias": set,
        "lora_adapters": lambda pairs: [
            xllamacpp.CommonAdapterLoraInfo(path, scale) for path, scale in pairs
        ],
        "types": lambda members: [xllamacpp.common_speculative_type[member] for member in members],
        # Devices without a share get none; one margin applies to each device.
        "tensor_split": lambda shares: (shares + [0.0] * len(own))[: len(own)],
        "fit_params_target": lambda margins: margins * len(own) if len(margins) == 1 else margins,
    }
    return converters.get(name, list)(values)


if __name__ == "__main__":
    main(sys.argv[1])
