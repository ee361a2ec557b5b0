"""Tests of `wangp_cli/networks`."""
