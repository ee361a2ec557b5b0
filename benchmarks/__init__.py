"""Benchmarks of the speed and memory that the documentation claims."""
