"""gglib's own API, below ``/gglib``."""
