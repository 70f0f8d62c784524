"""llama-server in an unpacked archive."""

from pathlib import Path

from gglib.engine_store.program import add_libraries, backend_of, find_program


def put(root: Path, *names: str) -> None:
    """Write files with their names as content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_the_program_nearest_to_the_top_is_found(tmp_path: Path) -> None:
    """In the layouts of releases and wheels."""
    assert find_program(tmp_path) is None
    put(tmp_path, "build/bin/llama-server", "a/b/c/llama-server", "build/bin/llama-server.txt")
    (tmp_path / "llama-server").mkdir()
    assert find_program(tmp_path) == tmp_path / "build" / "bin" / "llama-server"


def test_the_backend_is_that_of_the_libraries(tmp_path: Path) -> None:
    """HIP is ROCm's; a build for the processor has a library for it, too."""
    put(tmp_path, "bin/libggml-cpu.so", "bin/libggml-base.so")
    assert backend_of(tmp_path) == "cpu"
    put(tmp_path, "bin/libggml-hip.so")
    assert backend_of(tmp_path) == "rocm"


def test_a_library_with_a_version_counts(tmp_path: Path) -> None:
    """As on a Mac, too."""
    put(tmp_path, "libggml-metal.0.dylib")
    assert backend_of(tmp_path) == "metal"


def test_libraries_are_put_beside_the_program(tmp_path: Path) -> None:
    """Where its search path is; the program's own ones and other files stay."""
    put(tmp_path / "files", "llama-b1/llama-server", "llama-b1/libcudart.so.13")
    put(tmp_path / "more", "cudart/libcudart.so.13", "cudart/libcublas.so.13", "cudart/LICENSE")
    program = tmp_path / "files" / "llama-b1" / "llama-server"
    assert add_libraries(tmp_path / "more", program) == 1
    assert sorted(path.name for path in program.parent.iterdir()) == [
        "libcublas.so.13",
        "libcudart.so.13",
        "llama-server",
    ]
    assert (program.parent / "libcudart.so.13").read_text() == "llama-b1/libcudart.so.13"
