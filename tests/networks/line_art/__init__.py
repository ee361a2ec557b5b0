"""Tests of `wangp_cli/networks/line_art`."""
