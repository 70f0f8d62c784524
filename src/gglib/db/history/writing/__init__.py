"""Writes the history: the queue, the thread, its batches, and what is deleted."""
