"""Options for images and embeddings. Pure."""

from gglib.runtime.engines.llama_cpp.options.option import ON, choice, integer, members, switch

INPUTS = (
    switch(
        "--mmproj-offload",
        "mmproj_use_gpu",
        "Run the projector on the GPU.",
        off="--no-mmproj-offload",
        default=ON,
    ),
    integer("--image-min-tokens", "image_min_tokens", "Fewest tokens of an image.", minimum=1),
    integer("--image-max-tokens", "image_max_tokens", "Most tokens of an image.", minimum=1),
    integer(
        "--mtmd-batch-max-tokens",
        "mtmd_batch_max_tokens",
        "Tokens of images in one batch.",
        default="1024",
        minimum=1,
    ),
    choice(
        "--pooling",
        "pooling_type",
        "How the vectors of a text become one.",
        members("LLAMA_POOLING_TYPE_", none="NONE", mean="MEAN", cls="CLS", last="LAST", rank="RANK"),
    ),
    integer(
        "--embd-normalize",
        "embd_normalize",
        "Norm of embeddings: -1 none, 0 largest, 1 taxicab, 2 Euclidean, other p.",
        default="2",
        minimum=-1,
    ),
)
