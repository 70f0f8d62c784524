"""The log of an engine of the example, as llama.cpp writes it."""

from pathlib import Path

_LINES = """\
0.00.412.207 I load_model: loading model '{path}'
0.00.418.533 I llama_model_load_from_file_impl: using device CUDA0 (NVIDIA GeForce RTX 4090) - 23650 MiB free
0.00.520.118 I llama_model_loader: loaded meta data with 35 key-value pairs and 459 tensors (version GGUF V3 (latest))
0.00.520.940 I print_info: file format = GGUF V3 (latest)
0.00.520.951 I print_info: file type   = MXFP4 MoE
0.00.520.958 I print_info: file size   = 11.27 GiB (4.63 BPW)
0.00.604.316 W load: control-looking token: 200012 '<|call|>' was not control-type; this is probably a bug in the model
0.00.655.087 I load: special tokens cache size = 21
0.00.672.414 I print_info: arch             = gpt-oss
0.00.672.420 I print_info: n_ctx_train      = 131072
0.00.672.427 I print_info: n_layer          = 24
0.00.672.433 I print_info: n_expert         = 32
0.00.672.439 I print_info: model params     = 20.91 B
0.01.204.882 I load_tensors: offloaded 25/25 layers to GPU
0.01.204.893 I load_tensors:        CUDA0 model buffer size = 10949.38 MiB
0.01.204.898 I load_tensors:   CPU_Mapped model buffer size =   586.82 MiB
0.02.310.660 I llama_context: n_ctx_per_seq = 32768
0.02.310.671 W llama_context: n_ctx_per_seq (32768) < n_ctx_train (131072): the full capacity of the model is not used
0.02.318.204 I llama_kv_cache_iswa: creating non-SWA KV cache, size = 131072 cells
0.02.391.517 I llama_kv_cache:      CUDA0 KV buffer size =  3072.00 MiB
0.02.428.730 I llama_kv_cache_iswa: creating     SWA KV cache, size = 3072 cells
0.02.471.006 I llama_context:      CUDA0 compute buffer size =   404.02 MiB
0.02.858.149 I srv          init: initializing slots, n_slots = 4
0.02.858.166 I slot         init: id  0 | task -1 | new slot, n_ctx = 32768
0.02.858.170 I slot         init: id  1 | task -1 | new slot, n_ctx = 32768
0.02.858.173 I slot         init: id  2 | task -1 | new slot, n_ctx = 32768
0.02.858.176 I slot         init: id  3 | task -1 | new slot, n_ctx = 32768
0.02.912.308 I srv    load_model: prompt cache is enabled, size limit: 768 MiB
0.02.970.004 I srv          main: model loaded
0.07.233.518 I slot launch_slot_: id  0 | task 0 | processing task
0.07.250.091 I slot update_slots: id  0 | task 0 | new prompt, n_ctx_slot = 32768, n_prompt_tokens = 9418
0.08.931.444 I slot update_slots: id  0 | task 0 | prompt done, n_tokens = 9418, batch.n_tokens = 202
0.11.602.870 I slot print_timing: id  0 | task 0 | prompt eval time = 1681.35 ms / 9418 tokens, 5601.45 tokens/s
0.11.602.879 I slot print_timing: id  0 | task 0 |        eval time = 2671.42 ms /  392 tokens,  146.74 tokens/s
0.11.603.112 I slot      release: id  0 | task 0 | stop processing: n_tokens = 9809, truncated = 0
0.14.118.925 I slot get_availabl: id  0 | task -1 | selected slot by LCP similarity, sim_best = 0.993
0.14.119.337 I slot launch_slot_: id  0 | task 394 | processing task
0.14.211.780 I slot update_slots: id  0 | task 394 | prompt done, n_tokens = 10046, batch.n_tokens = 237
"""


def write_engine_log(path: Path, model_path: str) -> None:
    """Append the lines of a load and of two requests."""
    with path.open("a", encoding="utf-8") as log:
        log.write(_LINES.format(path=model_path))
