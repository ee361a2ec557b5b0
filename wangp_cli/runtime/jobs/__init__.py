"""The job engine: store, claims, worker, batch."""
