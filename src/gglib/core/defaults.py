"""Defaults shared by the settings, the proxy's options and the runtime's configuration. Times in seconds."""

HEARTBEAT_S = 10.0
"""Interval of the comments in a waiting stream: some clients close a connection that is silent for 20 s."""
MODEL_WAIT_S = 600.0
"""Maximum wait of a request for its model, queued or loading: the response timeout of OpenAI's client."""
SWAP_WAIT_S = 15.0
"""After this wait, a request preempts a busy model."""
DRAIN_S = 3.0
"""Maximum wait for responses in flight at shutdown."""
FIRST_BYTE_S = 600.0
CHUNK_GAP_S = 120.0
STALLED_CLIENT_S = 5.0
MAX_CONNECTIONS = 4096
IN_MEMORY_ALIAS = "claude-*"
"""Requests for these names use the model in memory, unless a model or an alias has the name. Claude Code's background
requests name other models than its own: served by any other model, each of them would cause a swap."""
