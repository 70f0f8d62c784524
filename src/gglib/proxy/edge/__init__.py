"""HTTP/1.1 for clients, strictly: what reaches a route was understood in the only way that it can be.

``head``, ``chunked``, ``reader``, ``writer`` and ``patience`` are pure; ``connection`` and ``listener`` act. None of
them knows models, targets or routes.
"""
