"""The fit bench parses the engine's log and the kernel's counters."""

from bench.fit import MIB, mappings, measured_of

SMAPS = """\
7f0000000000-7f0000100000 r--s 00000000 00:2a 77                         /models/a.gguf
Size:               1024 kB
Pss:                1000 kB
Referenced:          300 kB
Anonymous:             0 kB
VmFlags: rd mr mw me ms
7f0000200000-7f0000300000 rw-p 00000000 00:00 0                          [heap: 5 kB]
Size:               2048 kB
Pss:                2048 kB
Referenced:         2048 kB
Anonymous:          2048 kB
"""
LOG = """\
0.01 I load_tensors:   CPU_Mapped model buffer size =   168.36 MiB
0.01 I load_tensors:   CPU_REPACK model buffer size =   150.50 MiB
0.01 I llama_context:        CPU  output buffer size =     0.50 MiB
0.01 I llama_kv_cache:        CPU KV buffer size =    44.00 MiB
0.01 I llama_memory_recurrent:        CPU RS buffer size =     2.00 MiB
0.01 I sched_reserve:        CPU compute buffer size =    28.50 MiB
"""


def test_mapping_is_parsed() -> None:
    """A mapping's lines become numbers of bytes, without its head and its flags."""
    first, second = mappings(SMAPS)

    assert first == {"Size": 1024 * 1024, "Pss": 1000 * 1024, "Referenced": 300 * 1024, "Anonymous": 0}
    assert second["Anonymous"] == 2048 * 1024


def test_buffers_and_pages_are_summed() -> None:
    """Buffers are summed by kind; touched pages by whether they belong to a file."""
    measured = measured_of(LOG, SMAPS)

    assert measured.cache_bytes == 46 * MIB
    assert measured.compute_bytes == 29 * MIB
    assert measured.repacked_bytes == 150.5 * MIB
    assert (measured.anonymous_bytes, measured.file_bytes) == (2048 * 1024, 1000 * 1024)
    assert measured.used_bytes == (2048 + 300) * 1024
