"""Model weights: locate, fetch, verify, remove, measure."""
