"""Engine arguments become fields of the embedded engine, and arguments of a llama-server."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import EngineArgumentError
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.engines.llama_cpp.help_entries import parse_entries
from gglib.runtime.engines.llama_cpp.options import OPTIONS_BY_NAME
from gglib.runtime.engines.llama_cpp.options.build_checks import check_build
from gglib.runtime.engines.llama_cpp.options.context_override import context_override
from gglib.runtime.engines.llama_cpp.options.encoding import embedded_fields
from gglib.runtime.engines.llama_cpp.options.spelling import binary_arguments

EVERYTHING = frozenset(OPTIONS_BY_NAME) | {"--no-jinja"}


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ("--flash-attn on", {"flash_attn_type": "LLAMA_FLASH_ATTN_TYPE_ENABLED"}),
        ("-ctk q8_0", {"cache_type_k": "GGML_TYPE_Q8_0"}),
        ("--no-warmup", {"warmup": False}),
        ("--warmup", {"warmup": True}),
        ("--no-kv-offload", {"no_kv_offload": True}),
        ("--no-mmap", {"load_mode": "LLAMA_LOAD_MODE_NONE"}),
        ("--mlock", {"load_mode": "LLAMA_LOAD_MODE_MLOCK"}),
        ("--load-mode mmap+mlock", {"load_mode": "LLAMA_LOAD_MODE_MMAP_MLOCK"}),
        ("--gpu-layers all", {"n_gpu_layers": -2}),
        ("--gpu-layers 7", {"n_gpu_layers": 7}),
        ("--rope-scale 4", {"rope_freq_scale": 0.25}),
        ("--tensor-split 3/1", {"tensor_split": [3.0, 1.0]}),
        ("--fit-target 1,2", {"fit_params_target": [1048576, 2097152]}),
        ("--fit off", {"fit_params": False}),
        ("--lora a.gguf --lora-scaled b.gguf:0.5", {"lora_adapters": [["a.gguf", 1.0], ["b.gguf", 0.5]]}),
        (
            "--override-tensor a=CPU --n-cpu-moe 1",
            {"tensor_buft_overrides": r"a=CPU,blk\.0\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU"},
        ),
        ("--n-cpu-moe 0", {"tensor_buft_overrides": ""}),
        ("--prio 2", {"cpuparams.priority": "GGML_SCHED_PRIO_HIGH"}),
        ("--cpu-strict 1", {"cpuparams.strict_cpu": True}),
        ("--reasoning off", {"enable_reasoning": 0}),
        ("--chat-template llama3", {"chat_template": "llama3", "use_jinja": False}),
        ("--chat-template chatml", {"chat_template": "chatml"}),
        (
            "--model-draft d.gguf",
            {
                "speculative.draft.mparams.path": "d.gguf",
                "speculative.types": ["COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE"],
            },
        ),
        (
            "--spec-type ngram-mod --model-draft d.gguf",
            {
                "speculative.draft.mparams.path": "d.gguf",
                "speculative.types": ["COMMON_SPECULATIVE_TYPE_NGRAM_MOD"],
            },
        ),
        (
            "--grammar root::=x",
            {"sampling.grammar.grammar": "root::=x", "sampling.grammar.type": "COMMON_GRAMMAR_TYPE_USER"},
        ),
    ],
)
def test_fields_of_the_embedded_engine(arguments: str, fields: dict[str, object]) -> None:
    """Every value can be written as JSON, for the plan file."""
    found = embedded_fields(arguments.split())
    assert found == fields
    assert json.loads(json.dumps(found)) == found


def test_cpu_masks_are_lists_of_flags() -> None:
    """The lowest bit is CPU 0."""
    for arguments in (("--cpu-mask", "0x6"), ("--cpu-range", "1-2")):
        fields = embedded_fields(arguments)
        mask = fields["cpuparams.cpumask"]
        assert isinstance(mask, list)
        assert (mask[:4], len(mask)) == ([False, True, True, False], 512)
        assert fields["cpuparams.mask_valid"] is True


def test_template_values_keep_their_json_types() -> None:
    """The wheel has each value as the text of its JSON; objects of several arguments are merged."""
    fields = embedded_fields(
        ["--chat-template-kwargs", '{"a": false, "b": "x \\"y\\""}', "--reasoning-effort", "low"]
    )
    assert fields == {
        "default_template_kwargs": {"a": "false", "b": '"x \\"y\\""', "reasoning_effort": '"low"'}
    }


def test_files_are_read_for_the_embedded_engine(tmp_path: Path) -> None:
    """Template and grammar are fields with a text; a file that cannot be read is named."""
    path = tmp_path / "t.jinja"
    path.write_text("{{ messages }}", encoding="utf-8")
    assert embedded_fields(["--chat-template-file", str(path)]) == {"chat_template": "{{ messages }}"}
    path.write_bytes(b"\xff")
    with pytest.raises(EngineArgumentError, match="cannot be read: it is not UTF-8 text"):
        embedded_fields(["--chat-template-file", str(path)])
    with pytest.raises(EngineArgumentError, match="cannot be read: No such file"):
        embedded_fields(["--grammar-file", str(tmp_path / "missing")])


@pytest.mark.parametrize("name", ["--device", "--rpc", "--control-vector", "--override-kv", "--json-schema"])
def test_what_the_wheel_lacks_is_refused(name: str) -> None:
    """The error says what to do instead."""
    value = {"--rpc": "a:1", "--override-kv": "a=int:1", "--json-schema": "{}"}.get(name, "x")
    with pytest.raises(EngineArgumentError, match=f"does not take '{name}': .*llama-server is on the PATH"):
        embedded_fields([name, value])


@pytest.mark.parametrize(
    ("arguments", "spelled"),
    [
        ("-b 1 --batch-size 2", "--batch-size 2"),
        ("--warmup --no-warmup", "--no-warmup"),
        ("--lora a --temp 1 --lora b,c", "--temp 1 --lora a,b,c"),
        ("--model-draft d", "--model-draft d --spec-type draft-simple"),
        ("--model-draft d --spec-type ngram-mod", "--model-draft d --spec-type ngram-mod"),
        ("--chat-template llama3", "--chat-template llama3 --no-jinja"),
        ("--chat-template chatml", "--chat-template chatml"),
        ("--control-vector-layer-range 1 2", "--control-vector-layer-range 1 2"),
        ("-np 3 --mlock", "--mlock"),
    ],
)
def test_arguments_of_a_llama_server(arguments: str, spelled: str) -> None:
    """Each option once, under the first name that the build knows; lists are joined."""
    assert binary_arguments(arguments.split(), EVERYTHING) == spelled.split()


def test_json_objects_are_merged_for_a_llama_server() -> None:
    """A newer build takes only the last of repeated arguments."""
    words = ["--chat-template-kwargs", '{"a": 1, "b": 2}', "--chat-template-kwargs", '{"b": "x y"}']
    assert binary_arguments(words, EVERYTHING) == ["--chat-template-kwargs", '{"a": 1, "b": "x y"}']


def test_names_of_older_and_newer_builds() -> None:
    """A draft model has had three names; an option under none of them is refused."""
    assert binary_arguments(["--model-draft", "d"], {"-md"}) == ["-md", "d"]
    with pytest.raises(EngineArgumentError, match="does not know the engine argument '--no-warmup'"):
        binary_arguments(["--no-warmup"], {"--warmup"})


HELP = """
----- common params -----

-h,    --help, --usage                  print usage and exit
-fa,   --flash-attn                     enable Flash Attention (default: disabled)
-ctk,  --cache-type-k TYPE              KV cache data type for K
                                        allowed values: f32, f16, q8_0
                                        (default: f16)
--lora FNAME                            path to LoRA adapter (can be repeated)
--lora-scaled FNAME:SCALE,...           path to LoRA adapter
                                        note: use comma-separated values
-sm,   --split-mode {none,layer,row}    how to split the model
--poll <0...100>                        use polling level
--poll-batch <0|1>                      use polling
--draft, --draft-n, --draft-max N       the argument has been removed. use
                                        --spec-draft-n-max
--warmup, --no-warmup                   whether to perform warmup
--spec-draft-n-max N                    the argument has been removed. use --other
"""


def test_help_page_entries() -> None:
    """Names, placeholder, allowed values, default, and whether the option still works."""
    entries = parse_entries(HELP)
    assert (entries["-ctk"].choices, entries["-ctk"].default) == (("f32", "f16", "q8_0"), "f16")
    assert entries["--cache-type-k"] is entries["-ctk"]
    assert entries["--split-mode"].choices == ("none", "layer", "row")
    assert (entries["--flash-attn"].value, entries["--lora"].value) == ("", "FNAME")
    assert entries["--no-warmup"].names == ("--warmup", "--no-warmup")
    assert entries["--draft-max"].is_removed
    assert not entries["--lora"].takes_lists
    assert entries["--lora-scaled"].takes_lists
    assert "--spec-draft-n-max" in entries
    assert parse_entries("no options here\n  -x indented") == {}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("-ctk q4_0", "'-ctk' takes one of f32, f16, q8_0|'--cache-type-k' takes one of f32, f16, q8_0"),
        ("--split-mode tensor", "takes one of none, layer, row, not 'tensor'"),
        ("--flash-attn on", "'--flash-attn' takes no value"),
        ("--lora a --lora b", "takes '--lora' only once"),
        ("--spec-draft-n-max 3", "has no '--spec-draft-n-max' any more"),
    ],
)
def test_a_build_is_checked_by_its_help(arguments: str, reason: str) -> None:
    """Its own values and ways replace those of the table."""
    with pytest.raises(EngineArgumentError, match=reason):
        check_build(arguments.split(), parse_entries(HELP))


def test_what_the_help_does_not_describe_is_not_checked() -> None:
    """A list that the build takes, a switch, a level, and an option that the page lacks."""
    words = "--lora-scaled a:1 --lora-scaled b:2 --no-warmup --poll 50 --poll-batch 1 --temp 1 -ctk q8_0"
    check_build(words.split(), parse_entries(HELP))


SPEC = ModelLaunchSpec(
    model_id=1, model_name="a", path=Path("/a.gguf"), trained_context=8192, architecture="qwen2"
)


def extended(*arguments: str, context: int) -> str:
    """Return the arguments for a launch of a model that was trained for 2,048 tokens, with a factor of 4."""
    spec = replace(SPEC, settings=ModelSettings(engine_args=arguments))
    return " ".join(context_override(spec, context))


def test_a_context_above_the_trained_one_overrides_the_header() -> None:
    """And YaRN gets the original context, unless it is stated."""
    yarn = ("--rope-scaling", "yarn", "--rope-scale", "4")
    override = "--override-kv qwen2.context_length=int:8192"
    assert extended(*yarn, context=4096) == f"{' '.join(yarn)} {override} --yarn-orig-ctx 2048"
    stated = (*yarn, "--yarn-orig-ctx", "2048")
    assert extended(*stated, context=4096) == f"{' '.join(stated)} {override}"
    linear = ("--rope-scale", "4")
    assert extended(*linear, context=4096) == f"{' '.join(linear)} {override}"


def test_a_context_within_the_trained_one_overrides_nothing() -> None:
    """Nor does a model without scaling, or of an unknown architecture."""
    yarn = ("--rope-scaling", "yarn", "--rope-scale", "4")
    assert extended(*yarn, context=2048) == " ".join(yarn)
    assert extended("--rope-scaling", "yarn", context=8192) == "--rope-scaling yarn"
    spec = replace(SPEC, architecture=None, settings=ModelSettings(engine_args=yarn))
    assert context_override(spec, 8192) == yarn
