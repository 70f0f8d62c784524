"""What ``gglib tune`` measures, in llama.cpp's words: engine arguments and the engine's own timings. Pure."""
