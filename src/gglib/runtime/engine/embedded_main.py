"""The embedded engine's process: ``python -I -m gglib.runtime.engine.embedded_main PLAN_FILE``.

It knows nothing of gglib beyond the file that it is given. The server runs in its own threads; this one only waits to
be killed: TERM with its default effect ends the process at once, and nothing has to be tidied up.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any


def main(plan_file: str) -> None:
    """Load the model and serve it until a signal ends the process; a failed load exits with 1."""
    plan = json.loads(Path(plan_file).read_text())
    import xllamacpp  # noqa: PLC0415 - 0.1 s, and a missing library is told as a failed load

    params = xllamacpp.CommonParams()
    for name, value in plan["fields"].items():
        _set(params, name, value)
    params.api_keys = Path(plan["key_file"]).read_text().split()
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:  # the reason is in the engine's log, above this line
        sys.exit(f"engine: {error}")
    print(f"listening on {server.listening_address}", file=sys.stderr, flush=True)  # noqa: T201
    while True:
        signal.pause()


def _set(params: Any, name: str, value: object) -> None:  # noqa: ANN401 - the library is not typed
    *path, last = name.split(".")
    for part in path:
        params = getattr(params, part)
    setattr(params, last, set(value) if last == "model_alias" and isinstance(value, list) else value)


if __name__ == "__main__":
    main(sys.argv[1])
