"""The home directory: its identity, moved and copied homes, and homes of older versions."""
