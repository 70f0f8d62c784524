"""llama.cpp's server: its command line, its options, and what its log says."""
