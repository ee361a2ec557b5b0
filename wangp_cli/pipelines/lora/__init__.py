"""Read LoRA files and apply them to networks."""
