"""Documents of ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.files.comfyui import API_PROMPT, WORKFLOW, describe, describe_file

GRAPH: dict[str, Any] = {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}
PROMPT = {"3": {"class_type": "KSampler", "inputs": {}}, "4": {"class_type": "VAEDecode", "inputs": {}}}


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (GRAPH, WORKFLOW),
        (PROMPT, API_PROMPT),
        ({"prompt": PROMPT, "client_id": "x"}, API_PROMPT),
        ({"workflow": GRAPH, "name": "x"}, WORKFLOW),
        ({"prompt": "a red circle", "model": "t2v"}, None),
        ({"nodes": 3}, None),
        ({"3": {"class_type": "KSampler"}, "model": "t2v"}, None),
        ({}, None),
        ([GRAPH], None),
    ],
)
def test_workflows_and_api_prompts_are_told_apart(document: Any, kind: str | None, tmp_path: Path) -> None:
    assert describe(document) == kind
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert describe_file(tmp_path / "a.json") == kind


def test_a_file_that_cannot_be_read_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"nodes": [')
    assert describe_file(tmp_path / "a.json") is None
    assert describe_file(tmp_path / "gone.json") is None
