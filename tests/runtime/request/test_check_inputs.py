"""Checks of input files."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.media_facts import video
from wangp_cli.errors import RequestError
from wangp_cli.runtime.request.check_inputs import check_inputs, speech_notices
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.generate import Generate


def test_speech_that_is_shorter_than_the_video_is_told() -> None:
    facts = InputFacts({"audio_guide": ((Path("/a.wav"), video(audio_seconds=2.0)),)})
    assert speech_notices(facts, None, 33, Fraction(16)) == []
    [notice] = speech_notices(facts, None, 49, Fraction(16))
    assert str(notice) == "audio_guide: 2.00 s, but 3.06 s are made, silence follows it"
    assert speech_notices(InputFacts({}), None, 49, Fraction(16)) == []


def test_a_lora_that_has_changed_is_refused(tmp_path: Path) -> None:
    lora, task = tmp_path / "a.safetensors", Generate(model="m", prompt="x")
    lora.write_bytes(b"abc")
    checksums = {str(lora): hashlib.sha256(b"abc").hexdigest()}
    assert check_inputs(task, [lora], checksums).by_field == {}
    lora.write_bytes(b"abd")
    with pytest.raises(RequestError, match="is not the file this request was made with") as caught:
        check_inputs(task, [lora], checksums)
    assert caught.value.field == "loras"
