"""Payloads of events."""

from __future__ import annotations

import pytest

from tests.support.artifacts import artifact
from wangp_cli.errors import WangpError
from wangp_cli.runtime.events.types import ArtifactCreated, Fault


def test_an_artifact_knows_its_uri_and_mime() -> None:
    assert artifact().uri == "file:///made/a%20b.mp4"
    assert artifact().mime == "video/mp4"
    assert artifact("/made/x.bin").mime == "application/octet-stream"
    assert ArtifactCreated.model_validate(artifact().model_dump()) == artifact()


def test_a_fault_names_its_cause() -> None:
    with pytest.raises(WangpError) as caught:
        raise WangpError("no") from ValueError("inner")
    assert Fault.of(caught.value).cause == "ValueError: inner"
