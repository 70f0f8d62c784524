"""How much memory a model takes, with how many slots, and whether a machine has it. Pure: memory is an argument."""
