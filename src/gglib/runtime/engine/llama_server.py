"""The llama-server binary as an engine: a launch plan becomes its argv.

Builds differ: an option that the binary does not know ends it with "invalid argument", so it is asked (``--help``)
once before any is used.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from gglib.core.errors import EngineNotFoundError, InvalidSettingError
from gglib.runtime.child import minimal_environment
from gglib.runtime.engine.kinds import pooling_launch
from gglib.runtime.engine.options import passed_arguments
from gglib.runtime.engine.plan import LaunchPlan

_ASK_TIMEOUT_S = 20.0
"""A CUDA build looks for its devices before it prints its help."""
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


class LlamaServerEngine:
    """A llama-server executable."""

    kind = "llama-server"

    def __init__(self, path: Path, *, reason: str) -> None:
        self.path = path
        self.reason = reason

    @cached_property
    def description(self) -> str:
        """Where it is and which version it says it is."""
        lines = self._ask("--version").splitlines()
        version = next(
            (line.removeprefix("version:").strip() for line in lines if line.startswith("version:")), ""
        )
        return f"{self.path} ({version or 'version unknown'})"

    @cached_property
    def known_options(self) -> frozenset[str]:
        """Every option that its help names. Asked once; what is no help page is not believed, nor remembered."""
        options = frozenset(_OPTION.findall(self._ask("--help")))
        if "--model" not in options:
            raise EngineNotFoundError(f"{self.path} does not answer '--help' as llama-server does.")
        return options

    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Raise ``InvalidSettingError`` for an argument that this build does not know."""
        if arguments:
            _own_arguments(arguments, self.known_options)

    def command(self, plan: LaunchPlan) -> list[str]:
        """Return the argv; options that this build lacks are left out where it can serve without them."""
        return [str(self.path), *build_arguments(plan, self.known_options)]

    def _ask(self, question: str) -> str:
        try:
            answer = subprocess.run(
                [self.path, question],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_ASK_TIMEOUT_S,
                env=minimal_environment(os.environ),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EngineNotFoundError(
                f"{self.path} does not answer '{question}': is it llama-server?"
            ) from None
        except OSError as error:
            raise EngineNotFoundError(f"{self.path} cannot be run: {error.strerror}.") from None
        return answer.stdout.decode(errors="replace")


def build_arguments(plan: LaunchPlan, known: frozenset[str]) -> list[str]:
    """Return the arguments of a launch for a binary that knows the options ``known``. Pure."""
    needed = [
        *("--model", str(plan.spec.path)),
        *("--alias", plan.spec.model_name),
        *("--host", plan.host),
        *("--port", "0"),
        *("--ctx-size", str(plan.cache_tokens)),
        *("--api-key-file", str(plan.key_file)),
        # An explicit number of slots splits the context between them, in every build.
        *("--parallel", str(plan.slots)),
        *(("--mmproj", str(plan.spec.projector)) if plan.spec.projector is not None else ()),
    ]
    wished = (
        ("--no-kv-unified",),
        ("--cache-ram", str(plan.cache_ram_mib)),
        ("--sse-ping-interval", str(plan.ping_s)),
        ("--jinja",),
        ("--metrics",),
        ("--slots",),
        ("--no-ui",) if "--no-ui" in known else ("--no-webui",),
    )
    optional = [word for words in wished if words[0] in known for word in words]
    return [
        *needed,
        *optional,
        *_pooling_arguments(plan, known),
        *_own_arguments(plan.spec.settings.engine_args, known),
    ]


def _pooling_arguments(plan: LaunchPlan, known: frozenset[str]) -> list[str]:
    """Return what makes the engine embed or rerank."""
    launch = pooling_launch(plan)
    if launch is None:
        return []
    switch = "--reranking" if plan.spec.capabilities.rerank else "--embeddings"
    if switch not in known:
        raise InvalidSettingError(f"This llama-server does not know '{switch}': install a newer one.")
    words = [switch]
    if launch.pooling is not None:
        words += ["--pooling", launch.pooling]
    if launch.batch is not None:
        words += ["--batch-size", str(launch.batch), "--ubatch-size", str(launch.batch)]
    return words


def _own_arguments(arguments: Sequence[str], known: frozenset[str]) -> list[str]:
    words: list[str] = []
    for option, value in passed_arguments(arguments):
        name = next((name for name in option.names if name in known), None)
        if name is None:
            raise InvalidSettingError(
                f"This llama-server does not know the engine argument '{option.names[0]}': leave it out, "
                "or install a newer llama.cpp."
            )
        words += [name] if value is None else [name, value]
    return words
