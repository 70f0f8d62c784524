"""Refuses or corrects request bodies that would crash, block or confuse an engine."""
