"""Options for the defaults of sampling, which requests override. Pure."""

from pathlib import Path

from gglib.runtime.engines.llama_cpp.options.option import Kind, choice, integer, number, other, switch

_GRAMMAR = "sampling.grammar.grammar"
_USER_GRAMMAR = (("sampling.grammar.type", "COMMON_GRAMMAR_TYPE_USER"),)


def _read(text: str) -> str:
    """Encode a file as its text. Blocks; raises ``OSError`` or ``UnicodeDecodeError``."""
    return Path(text).read_text(encoding="utf-8")


SAMPLING = (
    number(
        "--temp --temperature",
        "sampling.temp",
        "Temperature; 0: the most probable token.",
        default="0.8",
        minimum=0,
    ),
    integer("--top-k", "sampling.top_k", "Keep the K most probable tokens; 0: all.", default="40"),
    number(
        "--top-p",
        "sampling.top_p",
        "Keep the tokens of this share of probability.",
        default="0.95",
        minimum=0,
    ),
    number(
        "--min-p",
        "sampling.min_p",
        "Keep tokens above this share of the best one.",
        default="0.05",
        minimum=0,
    ),
    integer("--seed -s", "sampling.seed", "Seed; -1: random.", default="-1", maximum=2**32 - 1),
    number(
        "--repeat-penalty",
        "sampling.penalty_repeat",
        "Penalty of repeated tokens; 1: none.",
        default="1",
        minimum=0,
    ),
    integer(
        "--repeat-last-n",
        "sampling.penalty_last_n",
        "Tokens that count as repeated; -1: all.",
        default="64",
        minimum=-1,
    ),
    number("--presence-penalty", "sampling.penalty_present", "Penalty of tokens that occurred.", default="0"),
    number(
        "--frequency-penalty", "sampling.penalty_freq", "Penalty by how often a token occurred.", default="0"
    ),
    number(
        "--typical --typical-p", "sampling.typ_p", "Locally typical sampling; 1: off.", default="1", minimum=0
    ),
    number("--top-nsigma --top-n-sigma", None, "Top-n-sigma sampling; -1: off.", default="-1"),
    number(
        "--xtc-probability",
        "sampling.xtc_probability",
        "XTC: how often it applies.",
        default="0",
        minimum=0,
        maximum=1,
    ),
    number(
        "--xtc-threshold",
        "sampling.xtc_threshold",
        "XTC: least probability of excluded tokens.",
        default="0.1",
        minimum=0,
    ),
    number("--dry-multiplier", "sampling.dry_multiplier", "DRY: strength; 0: off.", default="0", minimum=0),
    number("--dry-base", "sampling.dry_base", "DRY: base of the penalty.", default="1.75"),
    integer(
        "--dry-allowed-length",
        "sampling.dry_allowed_length",
        "DRY: length without a penalty.",
        default="2",
        minimum=0,
    ),
    integer(
        "--dry-penalty-last-n",
        "sampling.dry_penalty_last_n",
        "DRY: tokens that count; -1: all.",
        default="64",
        minimum=-1,
    ),
    other(Kind.TEXT, "--dry-sequence-breaker", None, "DRY: text at which sequences end; 'none': no text."),
    number(
        "--dynatemp-range",
        "sampling.dynatemp_range",
        "Range of the dynamic temperature.",
        default="0",
        minimum=0,
    ),
    number(
        "--dynatemp-exp", "sampling.dynatemp_exponent", "Exponent of the dynamic temperature.", default="1"
    ),
    number(
        "--adaptive-target",
        "sampling.adaptive_target",
        "Adaptive-p: wanted probability; below 0: off.",
        default="-1",
        maximum=1,
    ),
    number(
        "--adaptive-decay",
        "sampling.adaptive_decay",
        "Adaptive-p: decay.",
        default="0.9",
        minimum=0,
        maximum=0.99,
    ),
    choice(
        "--mirostat",
        "sampling.mirostat",
        "Mirostat: version; 0: off.",
        ("0", "1", "2"),
        default="0",
        encode=int,
    ),
    number("--mirostat-lr", "sampling.mirostat_eta", "Mirostat: learning rate.", default="0.1"),
    number("--mirostat-ent", "sampling.mirostat_tau", "Mirostat: target entropy.", default="5"),
    other(Kind.TEXT, "--samplers", "sampling.samplers", "Names of the samplers in order, separated by ';'."),
    other(Kind.TEXT, "--sampler-seq --sampling-seq", None, "The same as one letter each."),
    other(
        Kind.TEXT,
        "--logit-bias -l",
        None,
        "Makes a token more or less probable: TOKEN+BIAS or TOKEN-BIAS.",
    ),
    switch("--ignore-eos", "sampling.ignore_eos", "Continue after the end token."),
    integer(
        "--predict --n-predict -n",
        "n_predict",
        "Most tokens of an answer; -1: no limit.",
        default="-1",
        minimum=-1,
    ),
    other(Kind.TEXT, "--grammar", _GRAMMAR, "Grammar (GBNF) of every answer.", also=_USER_GRAMMAR),
    other(
        Kind.FILE, "--grammar-file", _GRAMMAR, "File with such a grammar.", encode=_read, also=_USER_GRAMMAR
    ),
    other(Kind.JSON, "--json-schema -j", None, "JSON schema of every answer."),
    other(Kind.FILE, "--json-schema-file -jf", None, "File with such a schema."),
    switch("--backend-sampling -bs", "sampling.backend_sampling", "Sample on the GPU."),
)
