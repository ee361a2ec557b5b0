"""What is recorded about results: manifests and the run history."""
