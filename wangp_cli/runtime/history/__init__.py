"""Manifests of results, and the run history."""
