"""Tests of `wangp_cli/media`."""
