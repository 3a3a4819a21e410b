"""Weights on their way out of the runs: means of them, FP16 checkpoints, the GGUF bundle."""
