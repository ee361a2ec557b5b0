"""The workflow of each task: a generator over a job that yields before each stage."""
