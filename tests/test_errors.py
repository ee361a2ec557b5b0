"""Errors that people and programs are told."""

from __future__ import annotations

from wangp_cli.errors import LONGEST, RequestError


def test_a_message_that_repeats_a_megabyte_keeps_its_ends() -> None:
    error = RequestError("fps", f"'{'1' * 1_000_000}' is not a frame rate, such as 16")
    assert len(error.message) == LONGEST
    assert error.message.startswith("fps: '111")
    assert error.message.endswith("is not a frame rate, such as 16")
    assert error.named("--fps").message.startswith("--fps: '111")
