"""Requests: layers of values merged, validated and settled for a model."""
