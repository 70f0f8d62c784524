"""Options for threads, batches and slots. Pure."""

from types import MappingProxyType

from gglib.runtime.engines.llama_cpp.options.option import Kind, choice, integer, members, other, switch

_PRIORITIES = MappingProxyType(
    {
        "-1": "GGML_SCHED_PRIO_LOW",
        "0": "GGML_SCHED_PRIO_NORMAL",
        "1": "GGML_SCHED_PRIO_MEDIUM",
        "2": "GGML_SCHED_PRIO_HIGH",
        "3": "GGML_SCHED_PRIO_REALTIME",
    }
)
_CPUS = 512
"""``GGML_MAX_N_THREADS``: the length of the embedded engine's masks."""


def is_one(text: str) -> bool:
    """Encode 0 or 1."""
    return text == "1"


def _mask(text: str) -> list[bool]:
    """Encode a hexadecimal mask: the lowest bit is CPU 0."""
    bits = int(text, 16)
    return [bool(bits >> cpu & 1) for cpu in range(_CPUS)]


def _range_mask(text: str) -> list[bool]:
    """Encode ``FIRST-LAST``; either may be missing."""
    first, _, last = text.partition("-")
    return [int(first or 0) <= cpu <= int(last or _CPUS - 1) for cpu in range(_CPUS)]


SLOTS = integer(
    "--parallel -np",
    "n_parallel",
    "Requests that are processed at once; each has the whole context.",
    default="-1",
)

COMPUTE = (
    integer("--threads -t", "cpuparams.n_threads", "Threads that generate tokens.", default="-1"),
    integer(
        "--threads-batch -tb",
        "cpuparams_batch.n_threads",
        "Threads that process prompts; default: as --threads.",
        default="-1",
    ),
    integer("--threads-http", "n_threads_http", "Threads that handle HTTP requests.", default="-1"),
    integer("--batch-size -b", "n_batch", "Tokens of a prompt per logical batch.", default="2048", minimum=1),
    integer("--ubatch-size -ub", "n_ubatch", "Tokens per physical batch.", default="512", minimum=1),
    SLOTS,
    switch(
        "--cont-batching -cb",
        "cont_batching",
        "Process several requests in one batch.",
        off="--no-cont-batching -nocb",
        default="on",
    ),
    choice(
        "--cpu-strict",
        "cpuparams.strict_cpu",
        "Bind each thread to a CPU of the mask.",
        ("0", "1"),
        default="0",
        encode=is_one,
    ),
    other(
        Kind.TEXT,
        "--cpu-mask -C",
        "cpuparams.cpumask",
        "CPUs that generate, as a hexadecimal mask.",
        encode=_mask,
        also=(("cpuparams.mask_valid", True),),
    ),
    other(
        Kind.TEXT,
        "--cpu-range -Cr",
        "cpuparams.cpumask",
        "CPUs that generate, as FIRST-LAST.",
        encode=_range_mask,
        also=(("cpuparams.mask_valid", True),),
    ),
    choice(
        "--prio",
        "cpuparams.priority",
        "Priority of the threads: low (-1) to real time (3).",
        _PRIORITIES,
        default="0",
    ),
    choice("--prio-batch", "cpuparams_batch.priority", "The same for prompts.", _PRIORITIES, default="0"),
    integer(
        "--poll",
        "cpuparams.poll",
        "How much threads poll for work, 0 to 100.",
        default="50",
        minimum=0,
        maximum=100,
    ),
    choice(
        "--poll-batch",
        "cpuparams_batch.poll",
        "Whether threads poll for work in prompts.",
        ("0", "1"),
        encode=int,
    ),
    choice(
        "--numa",
        "numa",
        "Optimizations for machines with several memory nodes.",
        members("GGML_NUMA_STRATEGY_", distribute="DISTRIBUTE", isolate="ISOLATE", numactl="NUMACTL"),
    ),
    switch(
        "--perf",
        "no_perf",
        "Measure times inside the library.",
        off="--no-perf",
        encode=lambda text: text == "off",
    ),
)
