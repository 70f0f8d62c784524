"""The command line of llama-server, as far as gglib uses it: the accepted options, and their help."""

from collections.abc import Sequence
from dataclasses import dataclass, field

VERSION_TEXT = "version: 11549 (scripted)\nbuilt with no compiler for no target\n"

_MEANING_COLUMN = 40

# Spellings, the value's name ("" for a switch), what it does.
_TABLE = (
    (("-h", "--help", "--usage"), "", "print usage and exit"),
    (("--version",), "", "show version and build info"),
    (("--list-devices",), "", "print list of available devices and exit"),
    (("-v", "--verbose"), "", "log everything"),
    (("-m", "--model"), "FNAME", "model path to load"),
    (("-mm", "--mmproj"), "FILE", "path to a multimodal projector file"),
    (("-a", "--alias"), "STRING", "set model name aliases, comma-separated"),
    (("--host",), "HOST", "ip address to listen, or bind to an UNIX socket if it ends with .sock"),
    (("--port",), "PORT", "port to listen"),
    (("--api-key",), "KEY", "API key to use for authentication"),
    (("--api-key-file",), "FNAME", "path to file containing API keys"),
    (("-c", "--ctx-size"), "N", "size of the prompt context"),
    (("-np", "--parallel"), "N", "number of server slots"),
    (("-kvu", "--kv-unified"), "", "use single unified KV buffer shared across all sequences"),
    (("-no-kvu", "--no-kv-unified"), "", "a KV buffer for each sequence"),
    (("-cram", "--cache-ram"), "N", "maximum cache size in MiB"),
    (("-ngl", "--gpu-layers", "--n-gpu-layers"), "N", "max. number of layers to store in VRAM"),
    (("-fit", "--fit"), "[on|off]", "adjust unset arguments to fit in device memory"),
    (("-fa", "--flash-attn"), "[on|off|auto]", "set Flash Attention use"),
    (("-ctk", "--cache-type-k"), "TYPE", "KV cache data type for K"),
    (("-ctv", "--cache-type-v"), "TYPE", "KV cache data type for V"),
    (("-lm", "--load-mode"), "MODE", "how the model's file is brought into memory"),
    (("-t", "--threads"), "N", "number of CPU threads to use during generation"),
    (("-tb", "--threads-batch"), "N", "number of threads to use during batch processing"),
    (("-b", "--batch-size"), "N", "logical maximum batch size"),
    (("-ub", "--ubatch-size"), "N", "physical maximum batch size"),
    (("--jinja",), "", "use jinja template engine for chat"),
    (("--no-jinja",), "", "do not use jinja template engine for chat"),
    (("--chat-template",), "TEMPLATE", "set custom jinja chat template"),
    (("--chat-template-file",), "FILE", "set custom jinja chat template file"),
    (("--reasoning-format",), "FORMAT", "how thoughts are returned"),
    (("--reasoning-budget",), "N", "amount of thinking allowed"),
    (("-n", "--predict", "--n-predict"), "N", "number of tokens to predict"),
    (("-s", "--seed"), "SEED", "RNG seed"),
    (("--temp", "--temperature"), "N", "temperature"),
    (("--top-k",), "N", "top-k sampling"),
    (("--top-p",), "N", "top-p sampling"),
    (("--min-p",), "N", "min-p sampling"),
    (("--repeat-penalty",), "N", "penalize repeat sequence of tokens"),
    (("--rope-scaling",), "TYPE", "RoPE frequency scaling method"),
    (("--rope-freq-base",), "N", "RoPE base frequency"),
    (("--metrics",), "", "enable prometheus compatible metrics endpoint"),
    (("--slots",), "", "expose slots monitoring endpoint"),
    (("--no-slots",), "", "do not expose slots monitoring endpoint"),
    (("--slot-save-path",), "PATH", "path to save slot kv cache"),
    (("--no-ui", "--no-webui"), "", "disable the Web UI"),
    (("--embedding", "--embeddings"), "", "restrict to only support embedding use case"),
    (("--rerank", "--reranking"), "", "enable reranking endpoint on server"),
    (("--pooling",), "{none,mean,cls,last,rank}", "pooling type for embeddings"),
    (("-to", "--timeout"), "N", "server read/write timeout in seconds"),
    (("--sse-ping-interval",), "N", "seconds between pings of a stream"),
)


class UsageError(Exception):
    """llama-server does not accept the command line; the message is its own."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a command line, by the long spelling that is last in the table."""

    values: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return an option's value."""
        return self.values.get(name, default)

    def number(self, name: str, default: int) -> int:
        """Return an option's value as an integer."""
        return int(self.values.get(name, default))

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.values


def parse(argv: Sequence[str], *, lacks: Sequence[str] = ()) -> Options:
    """Parse a command line; ``UsageError`` for an option that is unknown, or named in ``lacks``, or has no value."""
    known = {
        spelling: (spellings[-1], value_name)
        for spellings, value_name, _ in _rows(lacks)
        for spelling in spellings
    }
    values: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        if word not in known:
            raise UsageError(f"error: invalid argument: {word}")
        name, value_name = known[word]
        value = next(words, None) if value_name else ""
        if value is None:
            raise UsageError(f'error while handling argument "{word}": expected value for argument')
        values[name] = value
    return Options(values)


def help_text(*, lacks: Sequence[str] = ()) -> str:
    """Return the help page in llama-server's layout: short spelling in six columns, then the long ones."""
    lines = ["----- common params -----", ""]
    for spellings, value_name, meaning in _rows(lacks):
        short = spellings[0] + "," if not spellings[0].startswith("--") else ""
        long = ", ".join(spellings[1:] if short else spellings)
        left = f"{short:<6}{long} {value_name}".strip() if short else f"{long} {value_name}".strip()
        gap = "" if len(left) < _MEANING_COLUMN else "\n" + " " * _MEANING_COLUMN
        lines.append(f"{left:<{_MEANING_COLUMN}}{gap}{meaning}")
    return "\n".join(lines) + "\n"


def devices_text(devices: Sequence[str]) -> str:
    """Return the list of devices in llama-server's layout: ``CUDA0: NVIDIA RTX 3060 (12036 MiB, 11000 MiB free)``."""
    return "\n".join(("Available devices:", *(f"  {device}" for device in devices))) + "\n"


def _rows(lacks: Sequence[str]) -> list[tuple[tuple[str, ...], str, str]]:
    return [row for row in _TABLE if not set(row[0]) & set(lacks)]
