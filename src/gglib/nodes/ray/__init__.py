"""Nodes of a Ray cluster: Ray knows the machines and keeps a gglib running on each. No request passes through Ray.

Only ``agent`` and ``agents`` import ``ray``, in processes of their own: Ray's workers, the sidecar, and exchanges of
commands (``app.cluster.agent_command``). The process of the front never does.

Measured with Ray 2.60, on one machine:

- Ray ends a driver 60 s after its head is lost. With ``RAY_gcs_rpc_server_reconnect_timeout_s`` neither drivers nor
  raylets end: after 128 s without a head, the same driver, raylets and actors went on. Calls of a driver that concern
  the whole cluster wait as long as the head is away.
- An actor that is pinned to a label of its node by ``label_selector`` is started again by Ray itself, when a raylet
  with that label returns after a crash: 3 s later. The id of a node is another one for each raylet, so an actor that is
  pinned to it could never run again.
- A raylet takes its actors with it, at once. Ray notices its death after 12 s. One that was cut off from the head by
  the network goes on after 45 s; after 100 s it ends as soon as it is back, with its actors.
- ``RAY_gcs_storage=rocksdb`` keeps the actors and the name of the session over restarts of the head.
"""
