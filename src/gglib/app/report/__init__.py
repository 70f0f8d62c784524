"""The report of ``gglib doctor --report``: what a bug report needs, without secrets and names."""
