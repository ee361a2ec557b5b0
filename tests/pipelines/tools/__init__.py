"""Tests of `wangp_cli/pipelines/tools`."""
