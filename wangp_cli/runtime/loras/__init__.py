"""LoRA names resolved to files, and fetched."""
