"""How llama.cpp's server saves the prompts in its slots, and what their values depend on."""
