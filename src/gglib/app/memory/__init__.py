"""How models share this machine's memory, and what its GPUs are used for."""
