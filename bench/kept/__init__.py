"""Kept prompts measured: conversations, engines that save their slots, and a simulation of what is kept."""
