"""The reason of an engine's exit: from its log, its exit code, and the system's memory counters."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gglib.runtime.engines.exits import MAX_REASON_CHARACTERS, explain_kill, is_kill, is_out_of_memory
from gglib.runtime.engines.llama_cpp.exit_reasons import reason_for_exit
from gglib.system.ram import MemoryState

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("engine_logs.toml").read_text())["case"]
GB = 10**9


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_real_log_gives_its_true_reason(case: dict[str, Any]) -> None:
    """Logs of five builds, with and without levels, with and without the fit's trial load."""
    assert reason_for_exit(case["log"], case["exit_code"], was_ready=case["was_ready"]) == case["reason"]


@pytest.mark.parametrize(
    ("lines", "code", "reason"),
    [
        # Levels decide, not words: a cause need not contain "error", "fail" or "invalid".
        (["0.01 W common_fit_params: failed to fit params: unable to do so, abort",
          "0.02 E llama_x: the moon is in the wrong house", "0.03 E a_b: failed to load model"], 1,
         "the moon is in the wrong house"),
        (["0.00.001 I common_fit: an error is told here as information", "error: invalid argument: --foo"], 1,
         "invalid argument: --foo"),
        (["0.01 W llama_x: this is only a warning"], 1,
         "the engine exited with code 1; its last warning: this is only a warning"),
        (["0.01 E common_fit_params: encountered an error while trying to fit"], 1,
         "encountered an error while trying to fit"),
        (["0.01 E srv  load_model: failed to load model, '/m/a b.gguf'"], 1, "failed to load model, '/m/a b.gguf'"),
        ([("/opt/llama-server: error while loading shared libraries: libfoo.so: cannot open shared object file: "
          "No such file or directory")], 127,
         "error while loading shared libraries: libfoo.so: cannot open shared object file: No such file or directory"),
        (["/opt/x: /lib/libc.so.6: version `GLIBC_2.99' not found (required by /opt/x)"], 1,
         "/lib/libc.so.6: version `GLIBC_2.99' not found (required by /opt/x)"),
        (["dyld[812]: Library not loaded: @rpath/libllama.dylib", "  Referenced from: /opt/llama-server"], -6,
         "the engine aborted: Library not loaded: @rpath/libllama.dylib"),
        (["ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 9"], 1,
         "out of memory: failed to allocate buffer of size 9"),
        (["0.01 E ggml_x: allocating 9.00 MiB on device 0: cudaMalloc failed: out of memory"], -11,
         "out of memory: allocating 9.00 MiB on device 0: cudaMalloc failed: out of memory"),
        ([], 3, "the engine exited with code 3"),
        ([], -31, "the engine was killed by signal 31 (SIGSYS): a sandbox forbids one of its system calls"),
        ([], -15, "the engine was killed by signal 15 (SIGTERM)"),
        ([], 139, "the engine was killed by signal 11 (SIGSEGV): it crashed"),
        ([], 255, "the engine exited with code 255"),
    ],
)  # fmt: skip
def test_exit_while_loading_is_explained(lines: list[str], code: int, reason: str) -> None:
    """Errors come before warnings, causes before consequences, the system's sentence before a number."""
    assert reason_for_exit(lines, code) == reason
    assert is_out_of_memory(reason_for_exit(lines, code)) is reason.startswith("out of memory")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("0.01 E ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 9", 1),
        ("0.01 E llama_model_load: error loading model: unable to allocate CUDA0 buffer", 1),
        ("0.01 E ggml_backend_cuda: cudaMalloc failed: out of memory", 1),
        ("0.01 E ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory", 1),
        ("0.01 E ggml_metal: kIOGPUCommandBufferCallbackErrorOutOfMemory", 1),
        ("terminate called after throwing an instance of 'std::bad_alloc'", -6),
        ("MemoryError: std::bad_alloc", 1),
    ],
)
def test_allocation_failures_are_out_of_memory(line: str, code: int) -> None:
    """Of RAM and of each kind of GPU; a load that fails this way may succeed when other models are gone."""
    assert is_out_of_memory(reason_for_exit([line], code))


def test_two_independent_errors_are_both_shown() -> None:
    """A GPU build logs the missing driver at each start, which is not why the file is refused."""
    lines = [
        "0.00.01 E ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected",
        "0.00.02 I srv    load_model: loading model '/models/a.gguf'",
        "0.00.03 E gguf_init_from_reader: failed to read magic",
        "0.00.04 E srv    load_model: failed to load model, '/models/a.gguf'",
    ]
    assert reason_for_exit(lines, 1) == (
        "failed to read magic (before that: failed to initialize CUDA: no CUDA-capable device is detected)"
    )


def test_runner_message_is_the_reason_only_without_an_engine_message() -> None:
    """The engine logs from its own thread, and on a busy machine later than the runner that gives up."""
    runner = "engine: Failed to init server, please check the input params."
    engine = "0.00.003.467 E llama_model_load: error loading model: data is not within the file bounds"
    torn = (
        "0.00.013.187 engine: Failed to init server, please check the input params.E srv  init: exiting due to "
        "HTTP server error"
    )
    assert reason_for_exit([runner, engine], 1) == "data is not within the file bounds"
    assert reason_for_exit([engine, torn], 1) == "data is not within the file bounds"
    assert reason_for_exit([runner], 1) == "Failed to init server, please check the input params."


@pytest.mark.parametrize(
    ("lines", "code", "reason"),
    [
        (["0.01 E srv: failed to parse a request"], -11,
         "the engine was killed by signal 11 (SIGSEGV): it crashed"),
        (["0.01 E srv: failed to parse a request", "0.02 I slot release: id 0"], 1, "the engine exited with code 1"),
        (["0.02 I slot release: id 0", "0.03 E srv: the socket is gone"], 1,
         "the engine exited with code 1: the socket is gone"),
        (["0.02 I slot release: id 0", "terminate called after throwing an instance of 'std::runtime_error'",
          "  what():  the tensor is not there"], -6, "the engine aborted: the tensor is not there"),
        (["0.02 I slot release: id 0", "0.03 E ggml_cuda_error: CUDA error: an illegal memory access",
          "/src/ggml-cuda/ggml-cuda.cu:88: CUDA error"], -6,
         "the engine aborted: CUDA error: an illegal memory access (ggml-cuda.cu:88: CUDA error)"),
        (["0.02 I slot release: id 0", "terminate called after throwing an instance of 'std::bad_alloc'",
          "  what():  std::bad_alloc"], -6, "out of memory: std::bad_alloc"),
        (["0.02 I slot release: id 0", "free(): invalid pointer"], -6,
         "the engine aborted (SIGABRT): free(): invalid pointer"),
        (["0.02 I slot release: id 0"], -6, "the engine aborted (SIGABRT)"),
    ],
)  # fmt: skip
def test_exit_while_serving_is_explained_by_the_last_lines_alone(
    lines: list[str], code: int, reason: str
) -> None:
    """A ready engine's earlier complaint about a request is not the cause; an abort message is."""
    assert reason_for_exit(lines, code, was_ready=True) == reason


def test_long_or_unprintable_reason_is_cut_and_cleaned() -> None:
    """A reason is written to terminals and logs."""
    reason = reason_for_exit(["0.01 E x_y: \x1b]52;c;AAAA\x07 tensor " + "x" * 5_000], 1)
    assert reason.startswith("\N{REPLACEMENT CHARACTER}]52;c;AAAA\N{REPLACEMENT CHARACTER} tensor x")
    assert len(reason) == MAX_REASON_CHARACTERS + len("...")


def test_kill_is_called_out_of_memory_only_on_evidence() -> None:
    """The system's counter proves it; little memory makes it likely; 21 GB free prove nothing."""
    free = MemoryState(oom_kills=2, available_bytes=21 * GB)
    killed = MemoryState(oom_kills=3, available_bytes=21 * GB)
    scarce = MemoryState(oom_kills=None, available_bytes=GB // 10)
    assert explain_kill(free, killed, needed_bytes=GB) == "out of memory: the system killed the engine"
    assert explain_kill(free, free, needed_bytes=GB) is None
    assert explain_kill(None, scarce, needed_bytes=GB) is None
    assert explain_kill(MemoryState(), MemoryState(), needed_bytes=GB) is None
    assert explain_kill(MemoryState(available_bytes=2 * GB), free, needed_bytes=5 * GB) == (
        "out of memory, most likely: the engine was killed, and the model's files (5.0 GB) are larger than the memory "
        "that was free before (2.0 GB)"
    )
    assert explain_kill(MemoryState(available_bytes=9 * GB), scarce, needed_bytes=GB) == (
        "out of memory, most likely: the engine was killed while 100 MB of memory were free"
    )


def test_kill_without_evidence_gives_the_known_facts() -> None:
    """The reason has the signal, and the log's message if there is one."""
    silent = ["0.00.001 I loading"]
    assert reason_for_exit(silent, -9) == (
        "the engine was killed by signal 9 (SIGKILL); nothing in its log says why, "
        "and nothing shows that memory was short"
    )
    assert reason_for_exit(silent, -9, memory="out of memory: the system killed the engine") == (
        "out of memory: the system killed the engine"
    )
    assert reason_for_exit(["0.01 E x_y: failed to allocate buffer of size 9"], -9) == (
        "out of memory: failed to allocate buffer of size 9"
    )
    assert reason_for_exit(["0.01 E x_y: the disk is gone"], -9) == (
        "the engine was killed by signal 9 (SIGKILL); its log says: the disk is gone"
    )
    assert is_kill(-9)
    assert is_kill(137)
    assert not is_kill(9)


def test_a_signal_without_a_name_is_shown_as_its_number() -> None:
    """A real-time signal has none in Python."""
    assert reason_for_exit([], -40) == "the engine was killed by signal 40 (40)"
