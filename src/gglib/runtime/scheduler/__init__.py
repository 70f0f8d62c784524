"""Decides which model is loaded, drained or evicted, and which request is granted. Pure."""
