"""llama.cpp's own routes, those of its router, and reranking."""
