"""Model files: find, fetch, verify, remove, sizes."""
