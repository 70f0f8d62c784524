"""The options of llama-server that an import treats by name, and their environment variables. Pure tables.

Sources: llama.cpp ``common/arg.cpp`` and ``common/preset.cpp``. All other options are the model's engine arguments.
"""

from enum import Enum, auto


class Role(Enum):
    """What an option is for."""

    MODEL = auto()
    HUB_REPO = auto()
    HUB_FILE = auto()
    URL = auto()
    PROJECTOR = auto()
    NO_PROJECTOR = auto()
    CONTEXT = auto()
    ALIAS = auto()
    IDLE_TTL = auto()
    EMBEDDING = auto()
    RERANK = auto()
    LOAD_AT_START = auto()
    OURS = auto()
    """It is set for each launch, its purpose is served otherwise, or it is llama.cpp's default: it is dropped."""
    LISTED = auto()
    """It has no counterpart: see ``UNAVAILABLE``."""


_ROLES: dict[Role, tuple[str, ...]] = {
    Role.MODEL: ("--model", "-m"),
    Role.HUB_REPO: ("--hf-repo", "-hf", "-hfr", "--hf"),
    Role.HUB_FILE: ("--hf-file", "-hff"),
    Role.URL: ("--model-url", "-mu"),
    Role.PROJECTOR: ("--mmproj", "-mm"),
    Role.NO_PROJECTOR: ("--no-mmproj", "--no-mmproj-auto"),
    Role.CONTEXT: ("--ctx-size", "-c"),
    Role.ALIAS: ("--alias", "-a"),
    Role.EMBEDDING: ("--embedding", "--embeddings"),
    Role.RERANK: ("--rerank", "--reranking"),
    Role.IDLE_TTL: ("--sleep-idle-seconds",),
    Role.LOAD_AT_START: ("--load-on-startup",),
    Role.OURS: (
        *("--host", "--port", "--reuse-port", "--path", "--api-prefix", "--timeout", "-to", "--threads-http"),
        *(
            "--jinja",
            "--metrics",
            "--slots",
            "--props",
            "--no-webui",
            "--no-ui",
            "--offline",
            "--mmproj-auto",
        ),
        *(
            "--log-disable",
            "--log-colors",
            "--log-prefix",
            "--log-timestamps",
            "--verbose",
            "-v",
            "--log-verbose",
        ),
        *("--verbosity", "-lv", "--log-verbosity", "--no-log-prefix", "--no-log-timestamps", "--version"),
        *(
            "--models-max",
            "--models-autoload",
            "--no-models-autoload",
            "--cont-batching",
            "-cb",
            "--warmup",
            "--tags",
        ),
        *(
            "--webui",
            "--ui",
            "--no-slots",
            "--mmap",
            "--repack",
            "--op-offload",
            "--kv-offload",
            "-kvo",
            "--perf",
        ),
        *("--escape", "-e", "--cache-prompt", "--prefill-assistant", "--mmproj-offload"),
    ),
}

_NEW_KEY = "'gglib key new NAME' makes a key of gglib"
_TLS = "HTTPS is a setting of the server, not of a model"
UNAVAILABLE = {
    "--api-key": ("keys are never copied from another program", _NEW_KEY),
    "--api-key-file": ("keys are never copied from another program", _NEW_KEY),
    "--hf-token": (
        "tokens are never copied from another program",
        "'hf auth login', whose token 'gglib pull' uses",
    ),
    "-hft": (
        "tokens are never copied from another program",
        "'hf auth login', whose token 'gglib pull' uses",
    ),
    "--ssl-key-file": (_TLS, "'gglib config set tls_key FILE'"),
    "--ssl-cert-file": (_TLS, "'gglib config set tls_cert FILE'"),
    "--slot-save-path": ("clients cannot save slots to files", None),
    "--log-file": ("the log of each engine is in the home of gglib", "'gglib logs --help'"),
    "--models-dir": ("it is of the router, not of a model", "'gglib import DIRECTORY'"),
    "--models-preset": ("it is of the router, not of a model", "'gglib import FILE.ini'"),
    "--stop-timeout": (
        "an engine ends within 7 seconds after its running responses",
        "'gglib config set drain_s SECONDS' changes how long it waits",
    ),
}
"""Why an option has no counterpart, as a phrase, and what to use instead."""
ROLES = {
    **dict.fromkeys(UNAVAILABLE, Role.LISTED),
    **{name: role for role, names in _ROLES.items() for name in names},
}

FLAGS = frozenset(
    (
        *("--swa-full", "--kv-unified", "-kvu", "--no-kv-unified", "-no-kvu", "--cont-batching", "-cb"),
        *(
            "--no-cont-batching",
            "-nocb",
            "--mlock",
            "--mmap",
            "--no-mmap",
            "--direct-io",
            "-dio",
            "--no-direct-io",
        ),
        *(
            "-ndio",
            "--jinja",
            "--no-jinja",
            "--embedding",
            "--embeddings",
            "--rerank",
            "--reranking",
            "--metrics",
        ),
        *(
            "--props",
            "--slots",
            "--no-slots",
            "--webui",
            "--no-webui",
            "--ui",
            "--no-ui",
            "--cpu-moe",
            "-cmoe",
        ),
        *("--cpu-moe-draft", "-cmoed", "--warmup", "--no-warmup", "--context-shift", "--no-context-shift"),
        *("--special", "-sp", "--verbose", "-v", "--log-verbose", "--log-disable", "--log-prefix"),
        *("--no-log-prefix", "--log-timestamps", "--no-log-timestamps", "--escape", "-e", "--no-escape"),
        *("--ignore-eos", "--repack", "--no-repack", "-nr", "--no-host", "--op-offload", "--no-op-offload"),
        *("--kv-offload", "-kvo", "--no-kv-offload", "-nkvo", "--perf", "--no-perf", "--check-tensors"),
        *(
            "--spec-default",
            "--cache-prompt",
            "--no-cache-prompt",
            "--cache-idle-slots",
            "--no-cache-idle-slots",
        ),
        *(
            "--spm-infill",
            "--models-autoload",
            "--no-models-autoload",
            "--offline",
            "--no-mmproj",
            "--mmproj-auto",
        ),
        *("--no-mmproj-auto", "--mmproj-offload", "--no-mmproj-offload", "--prefill-assistant"),
        *("--no-prefill-assistant", "--lora-init-without-apply", "--backend-sampling", "-bs", "--reuse-port"),
        *("--dump-kv-cache", "--load-on-startup"),
    )
)
"""Options without a value."""

FILE_OPTIONS = frozenset(
    (
        *(
            "--lora",
            "--control-vector",
            "--chat-template-file",
            "--grammar-file",
            "--json-schema-file",
            "-jf",
        ),
        *("--model-draft", "-md", "--spec-draft-model", "--model-vocoder", "-mv"),
    )
)
"""Options whose value is the path of a file: an engine runs in another directory."""

SHORT_NAMES = frozenset(
    (
        *("-m", "-mu", "-hf", "-hfr", "-hff", "-hft", "-mm", "-c", "-a", "-t", "-tb", "-b", "-ub", "-np"),
        *("-ns", "-cram", "-ngl", "-mg", "-n", "-s", "-fa", "-ctk", "-ctv", "-ctkd", "-ctvd", "-dev"),
        *("-devd", "-sm", "-ts", "-ot", "-otd", "-cmoe", "-ncmoe", "-cmoed", "-ncmoed", "-kvu"),
        *("-no-kvu", "-cb", "-nocb", "-dio", "-ndio", "-md", "-cd", "-ngld", "-td", "-tbd", "-v", "-lv"),
        *("-to", "-bs", "-C", "-Cr", "-Cb", "-Crb", "-e", "-sp", "-kvo", "-nkvo", "-nr", "-dt", "-j"),
        *("-jf", "-r", "-l", "-sps", "-rea", "-hfd", "-hfrd", "-hfv", "-hffv", "-mv", "-ctxcp", "-cpent"),
    )
)
"""Names with a single dash."""

VARIABLES = {
    "LLAMA_ARG_MODEL": "--model",
    "LLAMA_ARG_HF_REPO": "--hf-repo",
    "LLAMA_ARG_HF_FILE": "--hf-file",
    "LLAMA_ARG_MODEL_URL": "--model-url",
    "LLAMA_ARG_MMPROJ": "--mmproj",
    "LLAMA_ARG_CTX_SIZE": "--ctx-size",
    "LLAMA_ARG_ALIAS": "--alias",
    "LLAMA_ARG_TAGS": "--tags",
    "LLAMA_ARG_EMBEDDINGS": "--embedding",
    "LLAMA_ARG_RERANKING": "--reranking",
    "LLAMA_ARG_POOLING": "--pooling",
    "LLAMA_ARG_HOST": "--host",
    "LLAMA_ARG_PORT": "--port",
    "LLAMA_ARG_TIMEOUT": "--timeout",
    "LLAMA_ARG_THREADS_HTTP": "--threads-http",
    "LLAMA_ARG_JINJA": "--jinja",
    "LLAMA_ARG_ENDPOINT_METRICS": "--metrics",
    "LLAMA_ARG_ENDPOINT_SLOTS": "--slots",
    "LLAMA_ARG_ENDPOINT_PROPS": "--props",
    "LLAMA_ARG_THREADS": "--threads",
    "LLAMA_ARG_BATCH": "--batch-size",
    "LLAMA_ARG_UBATCH": "--ubatch-size",
    "LLAMA_ARG_N_PARALLEL": "--parallel",
    "LLAMA_ARG_N_PREDICT": "--predict",
    "LLAMA_ARG_CACHE_RAM": "--cache-ram",
    "LLAMA_ARG_CACHE_REUSE": "--cache-reuse",
    "LLAMA_ARG_N_GPU_LAYERS": "--gpu-layers",
    "LLAMA_ARG_MAIN_GPU": "--main-gpu",
    "LLAMA_ARG_DEVICE": "--device",
    "LLAMA_ARG_SPLIT_MODE": "--split-mode",
    "LLAMA_ARG_TENSOR_SPLIT": "--tensor-split",
    "LLAMA_ARG_OVERRIDE_TENSOR": "--override-tensor",
    "LLAMA_ARG_FIT": "--fit",
    "LLAMA_ARG_FLASH_ATTN": "--flash-attn",
    "LLAMA_ARG_CACHE_TYPE_K": "--cache-type-k",
    "LLAMA_ARG_CACHE_TYPE_V": "--cache-type-v",
    "LLAMA_ARG_CPU_MOE": "--cpu-moe",
    "LLAMA_ARG_N_CPU_MOE": "--n-cpu-moe",
    "LLAMA_ARG_MLOCK": "--mlock",
    "LLAMA_ARG_MMAP": "--mmap",
    "LLAMA_ARG_NO_MMAP": "--no-mmap",
    "LLAMA_ARG_LOAD_MODE": "--load-mode",
    "LLAMA_ARG_SWA_FULL": "--swa-full",
    "LLAMA_ARG_KV_UNIFIED": "--kv-unified",
    "LLAMA_ARG_CONT_BATCHING": "--cont-batching",
    "LLAMA_ARG_CONTEXT_SHIFT": "--context-shift",
    "LLAMA_ARG_KV_OFFLOAD": "--kv-offload",
    "LLAMA_ARG_ROPE_SCALING_TYPE": "--rope-scaling",
    "LLAMA_ARG_ROPE_SCALE": "--rope-scale",
    "LLAMA_ARG_ROPE_FREQ_BASE": "--rope-freq-base",
    "LLAMA_ARG_ROPE_FREQ_SCALE": "--rope-freq-scale",
    "LLAMA_ARG_CHAT_TEMPLATE": "--chat-template",
    "LLAMA_ARG_CHAT_TEMPLATE_FILE": "--chat-template-file",
    "LLAMA_CHAT_TEMPLATE_KWARGS": "--chat-template-kwargs",
    "LLAMA_ARG_CHAT_TEMPLATE_KWARGS": "--chat-template-kwargs",
    "LLAMA_ARG_THINK": "--reasoning-format",
    "LLAMA_ARG_THINK_BUDGET": "--reasoning-budget",
    "LLAMA_ARG_REASONING_FORMAT": "--reasoning-format",
    "LLAMA_ARG_LORA": "--lora",
    "LLAMA_ARG_SPEC_DRAFT_MODEL": "--model-draft",
    "LLAMA_API_KEY": "--api-key",
    "HF_TOKEN": "--hf-token",
}
"""The option that an environment variable of llama-server stands for."""
