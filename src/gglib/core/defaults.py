"""Defaults that several layers share: a setting, the proxy's options and the runtime's configuration. In seconds."""

HEARTBEAT_S = 10.0
"""Between the comments of a stream that waits: some clients drop a socket that was silent for 20 s."""
MODEL_WAIT_S = 600.0
"""Of a request for its model, in the queue and while it loads: as long as OpenAI's client waits for an answer."""
SWAP_WAIT_S = 15.0
"""After which a model gets its turn although another one is busy."""
DRAIN_S = 3.0
"""For answers in flight when gglib stops."""
FIRST_BYTE_S = 600.0
CHUNK_GAP_S = 120.0
STALLED_CLIENT_S = 5.0
MAX_CONNECTIONS = 4096
