"""Access control: host names, origins, API keys and their rights."""
