"""Installs, chooses and removes engines, composed of the releases, the store and the engines' own answers."""
