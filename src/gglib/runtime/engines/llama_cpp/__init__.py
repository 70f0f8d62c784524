"""llama.cpp's server: command line, options, and exit reasons from its log."""
