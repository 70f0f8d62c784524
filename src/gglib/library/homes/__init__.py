"""The home directory: its identity, moved, copied and shared homes, and the migration of homes of gglib 0.1."""
