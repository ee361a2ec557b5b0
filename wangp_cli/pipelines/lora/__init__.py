"""LoRA files, applied to networks."""
