"""Engine arguments become options with checked values; what a model may not set is refused with a reason."""

import pytest

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.options import ENGINE_OPTIONS, OPTION_GROUPS, OPTIONS_BY_NAME
from gglib.runtime.engines.llama_cpp.options.parsing import final_values, parse_engine_args, without_options
from gglib.runtime.engines.llama_cpp.options.reserved import TAKEN, check_extra_args


def test_names_are_unique_and_not_reserved() -> None:
    """Each name means one option, and none that gglib sets itself."""
    names = [name for option in ENGINE_OPTIONS for name in (*option.names, *option.off_names)]
    assert len(names) == len(set(names)) == len(OPTIONS_BY_NAME)
    assert not set(names) & set(TAKEN)
    assert all(option.name.startswith("--") for option in ENGINE_OPTIONS)
    assert sum(len(group) for group in OPTION_GROUPS.values()) == len(ENGINE_OPTIONS)


def test_switches_have_a_text_for_each_direction() -> None:
    """Also for pairs whose long name is the negation."""
    texts = [(option.name, text) for option, text in parse_engine_args(["--warmup", "--no-warmup", "-nkvo"])]
    assert texts == [("--warmup", "on"), ("--warmup", "off"), ("--kv-offload", "off")]


def test_a_range_has_two_words() -> None:
    """As llama.cpp takes it; with an equals sign, both are in one."""
    for words in (["--control-vector-layer-range", "1", "9"], ["--control-vector-layer-range=1 9"]):
        ((option, text),) = parse_engine_args(words)
        assert (option.name, text) == ("--control-vector-layer-range", "1 9")
    with pytest.raises(EngineArgumentError, match="two whole numbers"):
        list(parse_engine_args(["--control-vector-layer-range", "1"]))


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("--gpu-layers", ("0", "-1", "99", "all", "auto"), ("some", "1.5", "9999999999", "")),
        ("--tensor-split", ("3", "3,1", "0.5/0.5"), ("3,", "a", "nan", "")),
        ("--fit-target", ("1024", "512,1024"), ("-1", "1.5", "1,,2")),
        ("--rope-scale", ("1", "2.5"), ("0", "-2", "1e9", "x")),
        ("--override-tensor", ("a=CPU", r"\.ffn_.*=CPU,b=CUDA0"), ("CPU", "=CPU", "a=", "a=b,c")),
        (
            "--override-kv",
            ("a.b=int:1", "a=bool:true,b=str:x", "a=float:-1.5"),
            ("a=1", "a=int:x", "a=bool:1"),
        ),
        ("--logit-bias", ("1+2", "15043-1.5,2+9"), ("1", "a+1", "1+")),
        ("--rpc", ("box:50052", "10.0.0.1:1,b:2"), ("box", "box:", ":1", "box:1,")),
        ("--cpu-mask", ("ff", "0x0F"), ("g", "", "0x")),
        ("--cpu-range", ("0-3", "2-", "-7"), ("-", "3", "a-b")),
        ("--lora", ("a.gguf", 'a.gguf,"b,c.gguf"'), ("",)),
        ("--lora-scaled", ("a.gguf:0.5", "a:1,b:-2"), ("a.gguf", "a:x", ":1", "a:nan", "")),
        ("--spec-type", ("none", "ngram-mod,draft-simple"), ("ngram", "ngram-mod,", "")),
        ("--chat-template", ("chatml", "llama3", "{{ messages }}"), ("nope", "")),
        ("--chat-template-kwargs", ('{"a": {"b": "c d"}}',), ("[1]", "{'a': 1}", "")),
        ("--prio", ("-1", "3"), ("4", "high")),
        ("--slot-prompt-similarity", ("0", "0.5", "1"), ("1.1", "-0.1")),
        ("--reasoning-budget", ("-1", "0", "512"), ("-2",)),
        ("--samplers", ("top_k;temperature",), ("",)),
        ("--top-p", ("0.9",), ("inf", "1_0", " 1")),
        ("--numa", ("isolate",), ("mirror",)),
    ],
)
def test_values(name: str, valid: tuple[str, ...], invalid: tuple[str, ...]) -> None:
    """What llama.cpp would take, and what ends its start or its load."""
    for text in valid:
        assert [found for _, found in parse_engine_args([name, text])] == [text]
    for text in (*invalid, "a\0b"):
        with pytest.raises(EngineArgumentError, match=f"'{name}' needs"):
            list(parse_engine_args([name, text]))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("--flash-atn", "Did you mean --flash-attn"),
        ("--cache-type", "Did you mean .*--cache-type-k"),
        ("--lorra", "Did you mean .*--lora"),
        ("--zzz", "'gglib engine options' lists them"),
        ("--host", "gglib chooses the engine's address"),
        ("--api-key", "a key of its own"),
        ("--log-file", "gglib reads the engine's log"),
        ("-m", "the catalogue has the model's files"),
        ("-hf", "'gglib pull OWNER/NAME'"),
        ("--ctx-size", "'gglib set MODEL --ctx N'"),
        ("--mmproj", "'gglib set MODEL --mmproj FILE'"),
        ("--embeddings", "'gglib set MODEL --embedding'"),
        ("--gpt-oss-20b-default", "download another model"),
        ("--list-devices", "exit at once"),
        ("--models-dir", "gglib chooses the models"),
    ],
)
def test_other_options_are_refused_with_a_reason(name: str, reason: str) -> None:
    """A near name, what has that effect, or why nothing may."""
    with pytest.raises(EngineArgumentError, match=reason):
        list(parse_engine_args([name, "x"]))


@pytest.mark.parametrize(
    "argument",
    [
        "--host", "--host=::1", "--api_key", "--api-key-file=x", "--log_file", "-lv", "--verbosity", "-m", "--port",
        "--ssl-key-file", "--alias", "-c", "--ctx_size", "--parallel", "-np", "--help", "-hf", "--kv-unified",
        "--fim-qwen-7b-spec", "--no-slots", "--api-prefix", "--slot-save-path",
    ],
)  # fmt: skip
def test_extra_arguments_cannot_take_the_engine_away(argument: str) -> None:
    """Also in llama.cpp's spelling with underscores, and among others."""
    with pytest.raises(EngineArgumentError, match="cannot be passed"):
        check_extra_args(["--tools", "all", argument, "1"])


def test_other_extra_arguments_are_not_checked() -> None:
    """They are passed at the user's own risk, also unknown ones and values."""
    check_extra_args(["--tools", "all", "--media-path", "/x", "-9", "", "host", "--spec-default"])
    with pytest.raises(EngineArgumentError, match="NUL"):
        check_extra_args(["a\0b"])


def test_the_last_value_applies_and_lists_add_up() -> None:
    """As in the launch."""
    words = ["-b", "1", "--lora", "a", "-b=2", "--lora", "b,c", "--no-warmup", "--warmup"]
    assert final_values(words) == {"--batch-size": "2", "--lora": "a,b,c", "--warmup": "on"}


def test_options_are_removed_under_any_name() -> None:
    """With their values; the others stay as they were written."""
    words = [
        *("-ctk", "q8_0", "--temp=0.5", "--no-warmup", "--control-vector-layer-range", "1", "2"),
        *("--cache-type-k=f16", "--flash-attn", "on"),
    ]
    names = ["--cache-type-k", "--warmup", "--control-vector-layer-range"]
    assert without_options(words, names) == ("--temp=0.5", "--flash-attn", "on")
    assert without_options(words, []) == tuple(words)
