"""The threads of an engine, and how long they spin while they wait for each other. Pure.

llama.cpp computes each operation of a model with all its threads, which then wait for the slowest at a barrier. Builds
with OpenMP, the default on Linux, wait in libgomp: it spins 300,000 times (7 ms on x86) before it sleeps. With another
program on the same cores, such as a second engine, each barrier may take that long: 24 tokens of a small model took
0.7 s on two engines in turn, 1.7 to 4 s on both at once, and up to 70 s beside other busy programs. Figures:
``bench/results/threads.md``.
"""

from collections.abc import Mapping, Sequence

from gglib.runtime.engines.llama_cpp.options import final_values

MAX_THREADS_PER_CORE = 3
"""Limit for the threads of all engines that may compute at once. Up to here, engines with a thread for each core take
about as long together as in turn, if they spin briefly; more were not measured."""

_SPINS_X86 = 250
"""6 µs on a Zen 3 core, where ``pause`` takes 24 ns. Fewer make an engine alone slower (250: up to 1.3 times as slow;
0: three times), more make engines slower together (320: up to 1.5 times as slow as in turn; 1,000: twice)."""
_SPINS_OTHER = 5000
"""About the same time where libgomp's loop has no ``pause`` instruction, such as on arm64; not measured."""
_X86 = ("x86_64", "AMD64", "i386", "i686")
_WAIT_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def planned_threads(arguments: Sequence[str], *, cores: int | None, engines: int) -> int | None:
    """Return the number of threads for an engine; None to leave it to the model's arguments or the engine's default.

    ``cores`` is None if unknown; ``engines`` is how many engines may compute at once, this one included. Raises like
    ``parse_engine_args``.
    """
    if cores is None or _argument(arguments) is not None:
        return None
    return max(1, min(cores, cores * MAX_THREADS_PER_CORE // max(1, engines)))


def known_threads(arguments: Sequence[str], planned: int | None) -> int | None:
    """Return the number of threads an engine runs with; None if it is the engine's default.

    A value below 1 in the model's arguments means that default.
    """
    own = _argument(arguments)
    return planned if own is None else own if own > 0 else None


def wait_environment(environment: Mapping[str, str], machine: str, *, engines: int) -> dict[str, str]:
    """Return the environment variables that bound the spinning of an engine's threads.

    Empty for one engine, which any bound may slow down, and if ``environment`` has a variable of the user for it.
    ``machine`` is as in ``platform.machine()``, ``engines`` is how many engines may compute at once. Builds without
    libgomp ignore the variable.
    """
    if engines <= 1 or any(name in environment for name in _WAIT_VARIABLES):
        return {}
    return {"GOMP_SPINCOUNT": str(_SPINS_X86 if machine in _X86 else _SPINS_OTHER)}


def _argument(arguments: Sequence[str]) -> int | None:
    """Return the last ``--threads`` of a model's arguments; None without one."""
    text = final_values(arguments).get("--threads")
    return None if text is None else int(text)
