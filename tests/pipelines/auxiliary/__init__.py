"""Tests of `wangp_cli/pipelines/auxiliary`."""
