"""Names from untrusted sources."""

from __future__ import annotations

import pytest

from wangp_cli.files.safe_names import name_fault, path_fault


@pytest.mark.parametrize("name", ["a.json", "Å é (1).png", "a" * 200, "..a"[2:], "con1"])
def test_a_plain_name_is_safe(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("a/../b", "leads out"),
        ("/a", "absolute"),
        ("a//b", "empty"),
        ("a\nb", "control"),
        ("a\\b", "holds one of"),
        ("a/.b", "dot"),
        ("a./b", "ends in"),
        (" a", "starts with a space"),
        ("a/Aux.txt", "reserved"),
        ("é" * 101, "200 bytes"),
        ("a/" * 501, "1000 characters"),
    ],
)
def test_what_is_wrong_with_a_path_is_said(path: str, fault: str) -> None:
    assert fault in path_fault(path)
