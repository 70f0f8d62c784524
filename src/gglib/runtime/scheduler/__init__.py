"""Which model is loaded, which is drained, and which request is granted. Pure."""
