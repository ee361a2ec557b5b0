"""LoRA names resolved to files."""
