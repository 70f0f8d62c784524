"""A launch plan becomes the arguments of each engine."""

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelCapabilities, ModelLaunchSpec, ModelSettings, Pooling
from gglib.runtime.engines.llama_cpp import embedded_main
from gglib.runtime.engines.llama_cpp.embedded import EmbeddedEngine, parameters
from gglib.runtime.engines.llama_cpp.embedded_main import has_gpu
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.engines.llama_cpp.options import ENGINE_OPTIONS, launch_slots, parse_engine_args
from gglib.runtime.engines.llama_cpp.options.encoding import embedded_fields
from gglib.runtime.engines.llama_cpp.server import build_arguments

SPEC = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/models/a.gguf"))
PLAN = LaunchPlan(
    spec=SPEC,
    context=8192,
    slots=4,
    cache_ram_mib=1024,
    ping_s=10,
    key_file=Path("/run/key"),
    plan_file=Path("/run/plan.json"),
    socket_path=Path("/run/engine.sock"),
)
EVERYTHING = frozenset(name for option in ENGINE_OPTIONS for name in option.names) | {
    "--kv-unified", "--no-kv-unified", "--kv-unified-per-slot", "--cache-ram", "--sse-ping-interval", "--jinja",
    "--metrics", "--slots", "--no-ui", "--embeddings", "--reranking",
}  # fmt: skip


def plan_with(*engine_args: str, **capabilities: bool) -> LaunchPlan:
    """Return the plan of a model with these settings."""
    spec = replace(
        SPEC,
        settings=ModelSettings(engine_args=engine_args),
        capabilities=ModelCapabilities(**capabilities),
    )
    return replace(PLAN, spec=spec)


def test_default_arguments_of_llama_server() -> None:
    """Four slots that hold the context each, the model's own template, metrics on, web page off, the key in a file."""
    words = " ".join(build_arguments(PLAN, EVERYTHING))
    assert words == (
        "--model /models/a.gguf --alias a --host /run/engine.sock --port 0 --ctx-size 32768 --api-key-file /run/key "
        "--parallel 4 --no-kv-unified --cache-ram 1024 --sse-ping-interval 10 --jinja --metrics --slots --no-ui"
    )


def test_planned_threads_are_passed() -> None:
    """To a build that knows the option, and to the embedded engine for generation and prompts; not if unplanned."""
    plan = replace(PLAN, threads=6)
    assert "--threads 6" in " ".join(build_arguments(plan, EVERYTHING))
    assert "--threads" not in build_arguments(plan, frozenset())
    assert "--threads" not in build_arguments(PLAN, EVERYTHING)
    assert parameters(plan)["cpuparams.n_threads"] == parameters(plan)["cpuparams_batch.n_threads"] == 6
    assert "cpuparams.n_threads" not in parameters(PLAN)


def test_slots_are_saved_below_a_directory() -> None:
    """The server appends names to the text; a build without the option saves nothing."""
    plan = replace(PLAN, slot_directory=Path("/run/slots"))
    assert "--slot-save-path /run/slots/" in " ".join(
        build_arguments(plan, EVERYTHING | {"--slot-save-path"})
    )
    assert "--slot-save-path" not in build_arguments(plan, EVERYTHING)
    assert parameters(plan)["slot_save_path"] == "/run/slots/"
    assert "slot_save_path" not in parameters(PLAN)


def test_threads_for_prompts_of_a_model_win() -> None:
    """A model may set the threads for prompts alone."""
    plan = replace(plan_with("--threads-batch", "2"), threads=6)
    assert "--threads-batch 2" in " ".join(build_arguments(plan, EVERYTHING))
    assert parameters(plan)["cpuparams.n_threads"] == 6
    assert parameters(plan)["cpuparams_batch.n_threads"] == 2


def test_old_build_gets_only_supported_arguments() -> None:
    """It splits the cache between its slots as every build does, so it may have all of them."""
    words = build_arguments(PLAN, frozenset({"--no-webui"}))
    assert words[words.index("--parallel") + 1] == "4"
    assert words[words.index("--ctx-size") + 1] == "32768"
    assert "--no-webui" in words
    assert not {
        "--kv-unified",
        "--no-kv-unified",
        "--cache-ram",
        "--sse-ping-interval",
        "--jinja",
        "--no-ui",
    } & set(words)


def test_embedding_model_is_launched_with_embeddings() -> None:
    """Both engines refuse embeddings by default."""
    assert "--embeddings" in build_arguments(plan_with(embedding=True), EVERYTHING)
    assert "--embeddings" not in build_arguments(PLAN, EVERYTHING)
    assert parameters(plan_with(embedding=True))["embedding"] is True


@pytest.mark.parametrize(
    ("capabilities", "pooling", "expected"),
    [
        ({"rerank": True}, "rank", "--reranking --pooling rank --batch-size 8192 --ubatch-size 8192"),
        ({"rerank": True}, None, "--reranking --pooling rank --batch-size 8192 --ubatch-size 8192"),
        ({"embedding": True}, "mean", "--embeddings --pooling mean --batch-size 8192 --ubatch-size 8192"),
        ({"embedding": True}, None, "--embeddings --batch-size 8192 --ubatch-size 8192"),
        ({"embedding": True}, "last", "--embeddings --pooling last"),
    ],
)
def test_pooling_models_get_the_batch_that_they_need(
    capabilities: dict[str, bool], pooling: Pooling | None, expected: str
) -> None:
    """Ranks need a switch and their pooling, and a whole input needs a batch as large as the context."""
    plan = plan_with(**capabilities)
    plan = replace(plan, spec=replace(plan.spec, pooling=pooling))
    words = expected.split()
    assert build_arguments(plan, EVERYTHING)[-len(words) :] == words
    fields = parameters(plan)
    assert fields["embedding"] is True
    name = words[words.index("--pooling") + 1].upper() if "--pooling" in words else None
    assert fields.get("pooling_type") == (None if name is None else f"LLAMA_POOLING_TYPE_{name}")
    batch = 8192 if "--batch-size" in words else None
    assert (fields.get("n_batch"), fields.get("n_ubatch")) == (batch, batch)


def test_chat_model_keeps_the_default_batches() -> None:
    """None of these arguments is passed for a chat model."""
    fields = parameters(PLAN)
    assert fields["embedding"] is False
    assert not {"pooling_type", "n_batch", "n_ubatch"} & set(fields)
    assert not {"--pooling", "--ubatch-size", "--reranking"} & set(build_arguments(PLAN, EVERYTHING))


def test_user_batch_and_pooling_win() -> None:
    """Batch and pooling in the model's own arguments come after gglib's."""
    plan = plan_with("--pooling", "cls", "-ub", "512", "-b", "1024", embedding=True)
    words = build_arguments(plan, EVERYTHING)
    assert words[-6:] == ["--pooling", "cls", "--ubatch-size", "512", "--batch-size", "1024"]
    fields = parameters(plan)
    assert (fields["pooling_type"], fields["n_ubatch"], fields["n_batch"]) == (
        "LLAMA_POOLING_TYPE_CLS",
        512,
        1024,
    )


def test_binary_that_cannot_rerank_is_refused() -> None:
    """A build without the switch could not serve the model, so it is not started."""
    with pytest.raises(InvalidSettingError, match=r"does not know '--reranking': install a newer one"):
        build_arguments(plan_with(rerank=True), EVERYTHING - {"--reranking"})


def test_unknown_pooling_is_refused() -> None:
    """The values of an enumerated argument are checked before the launch."""
    with pytest.raises(InvalidSettingError, match="needs one of none, mean, cls, last, rank, not 'max'"):
        list(parse_engine_args(("--pooling", "max")))


def test_embedded_engine_knows_every_choice() -> None:
    """Enums of the wheel: each value of the table is a member, and the runner sets it by its name."""
    xllamacpp = pytest.importorskip("xllamacpp")
    choices = [(option, text) for option in ENGINE_OPTIONS if option.members for text in option.choices]
    assert len(choices) > 30
    for option, text in choices:
        params = xllamacpp.CommonParams()
        for name, value in embedded_fields((option.name, text)).items():
            embedded_main._set(params, name, value)
            assert _value(params, name).name == option.members[text]


def test_without_unix_sockets_it_listens_on_loopback() -> None:
    """The kernel chooses the port."""
    words = build_arguments(replace(PLAN, socket_path=None), EVERYTHING)
    assert words[words.index("--host") + 1 : words.index("--host") + 4] == ["127.0.0.1", "--port", "0"]


def test_model_arguments_come_last_and_win() -> None:
    """llama-server takes the last of two; the embedded engine's field is overwritten."""
    plan = plan_with("-cram", "2", "--temp=0.5", "--swa-full")
    assert build_arguments(plan, EVERYTHING)[-5:] == ["--cache-ram", "2", "--temp", "0.5", "--swa-full"]
    fields = parameters(plan)
    assert (fields["cache_ram_mib"], fields["sampling.temp"], fields["swa_full"]) == (2, 0.5, True)


@pytest.mark.parametrize("spelling", [("-np", "7"), ("--parallel=7",), ("--parallel", "2", "-np", "7")])
@pytest.mark.parametrize("slots", [1, 3, 64])
def test_model_arguments_do_not_reduce_the_context_of_a_request(
    slots: int, spelling: tuple[str, ...]
) -> None:
    """The cache is slots times context for both engines; a model's own number of slots replaces the plan's."""
    plan = replace(plan_with(*spelling), slots=slots)
    for known in (EVERYTHING, frozenset({"--parallel"})):
        words = build_arguments(plan, known)
        assert words[words.index("--ctx-size") + 1] == str(slots * 8192)
        assert words[words.index("--parallel") + 1] == str(slots)
        assert not {"-np", "--kv-unified", "--kv-unified-per-slot"} & set(words)
        assert words.count("--parallel") == 1
    fields = parameters(plan)
    assert (fields["n_ctx"], fields["n_parallel"], fields["kv_unified"]) == (slots * 8192, slots, False)
    assert launch_slots(spelling, setting=4, context=8192) == 7


@pytest.mark.parametrize(
    ("arguments", "wanted"), [((), 4), (("-np", "-1"), 4), (("-np", "0"), 4), (("-np", "1"), 1)]
)
def test_slots_are_those_of_the_setting_unless_the_model_sets_them(
    arguments: tuple[str, ...], wanted: int
) -> None:
    """llama-server's automatic number is the setting."""
    assert launch_slots(arguments, setting=4, context=8192) == wanted


def test_slots_are_bounded_by_the_engine() -> None:
    """The cache of all slots has fewer than 2^31 positions; one slot is left for any context."""
    assert launch_slots(("-np", "9"), setting=4, context=2**30) == 1
    assert launch_slots((), setting=16, context=2**28) == 7


@pytest.mark.parametrize(
    "argument", ["--host", "--port", "--api-key", "--model", "--log-file", "--tools", "x", ""]
)
def test_arguments_that_bypass_gglib_are_refused(argument: str) -> None:
    """The allow-list has neither addresses nor keys nor files."""
    with pytest.raises(InvalidSettingError):
        list(parse_engine_args([argument, "1"]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--threads"],
        ["--threads", "x"],
        ["--threads", "2147483648"],
        ["--threads", "1_000"],
        ["--threads", " 4"],
        ["--threads", "٤"],
        ["--ubatch-size", "0"],
        ["--temp", "hot"],
        ["--temp", "nan"],
        ["--temp", "1_0.0"],
        ["--swa-full=1"],
        ["--cache-type-k", "q9_9"],
        ["--flash-attn", "yes"],
        ["--split-mode", "rows"],
        ["--pooling", "max"],
        ["--chat-template-kwargs", "{'a': 1}"],
        ["--chat-template-kwargs", "[]"],
        ["--reasoning-format", "none "],
        ["--fit", "maybe"],
    ],
)
def test_missing_or_wrong_value_is_one_sentence(arguments: list[str]) -> None:
    """The error names the argument and its requirement."""
    with pytest.raises(InvalidSettingError, match=arguments[0].partition("=")[0]):
        list(parse_engine_args(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--threads", "-1"],
        ["--seed", "4294967295"],
        ["--temp", "1e-3"],
        ["--cache-type-v", "q8_0"],
        ["--flash-attn=auto"],
        ["--chat-template-kwargs", '{"enable_thinking": false}'],
    ],
)
def test_llama_cpp_arguments_are_passed_through(arguments: list[str]) -> None:
    """Each is one option with its text unchanged."""
    ((option, text),) = parse_engine_args(arguments)
    assert option.names[0] == arguments[0].partition("=")[0]
    assert text == (arguments[1:] or ["auto"])[0]


def test_embedded_engine_names_unsupported_arguments() -> None:
    """The error comes before the launch, with a remedy."""
    engine = EmbeddedEngine(reason="")
    engine.check_engine_args(("--threads", "2"))
    with pytest.raises(InvalidSettingError, match=r"\(xllamacpp\) does not take '--rpc': leave this"):
        engine.check_engine_args(("--rpc", "box:50052"))


def test_unsupported_argument_is_refused_before_the_launch() -> None:
    """Both engines name the argument."""
    with pytest.raises(InvalidSettingError, match="--threads"):
        build_arguments(plan_with("-t", "2"), frozenset())
    with pytest.raises(InvalidSettingError, match="--device"):
        parameters(plan_with("--device", "none"))


def test_every_field_of_the_table_exists_in_the_embedded_engine() -> None:
    """A renamed field in the library fails here, not at a user."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    for name in [option.field for option in ENGINE_OPTIONS if option.field] + list(parameters(PLAN)):
        _value(params, name)


def _value(params: object, name: str) -> Any:
    """Return the value of a dotted field."""
    for part in name.split("."):
        params = getattr(params, part)
    return params


class Kind(Enum):
    """Names as the wheel has them."""

    GGML_BACKEND_DEVICE_TYPE_CPU = 0
    GGML_BACKEND_DEVICE_TYPE_GPU = 1
    GGML_BACKEND_DEVICE_TYPE_ACCEL = 3


def test_fit_applies_only_to_gpus() -> None:
    """A processor and its maths library hold the whole model; a GPU may hold a part."""
    cpu, gpu, blas = ({"name": "x", "type": kind} for kind in Kind)
    assert not has_gpu([])
    assert not has_gpu([cpu, blas])
    assert has_gpu([cpu, gpu])


def test_binary_without_a_gpu_does_not_fit_parameters() -> None:
    """The model's own argument wins; a build without the option gets none."""
    words = build_arguments(PLAN, EVERYTHING, has_gpu=False)
    assert words[words.index("--fit") + 1] == "off"
    own = build_arguments(plan_with("--fit", "on"), EVERYTHING, has_gpu=False)
    assert own[-2:] == ["--fit", "on"]
    assert "--fit" not in build_arguments(PLAN, EVERYTHING)
    assert "--fit" not in build_arguments(PLAN, EVERYTHING - {"--fit"}, has_gpu=False)


def test_projector_is_passed_to_either_engine() -> None:
    """A vision model is launched with its projector file; other models name none."""
    seeing = replace(PLAN, spec=replace(SPEC, projector=Path("/models/mmproj.gguf")))
    words = build_arguments(seeing, EVERYTHING)
    assert words[words.index("--mmproj") + 1] == "/models/mmproj.gguf"
    assert parameters(seeing)["mmproj.path"] == "/models/mmproj.gguf"
    assert "--mmproj" not in build_arguments(PLAN, EVERYTHING)
    assert "mmproj.path" not in parameters(PLAN)
