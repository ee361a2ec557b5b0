"""Tests of `wangp_cli/preprocess`."""
