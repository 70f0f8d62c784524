"""Completes a command line in bash, zsh and fish.

The script of a shell (``scripts``) runs ``gglib __complete SHELL …`` at each TAB, which prints candidates (``answer``).
Nothing is started or created for it, and nothing is requested over a network.
"""
