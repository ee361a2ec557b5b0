"""The catalogue's entry of the starter says what its card says."""

from __future__ import annotations

import json
from pathlib import Path

import wangp_cli
from wangp_cli.catalogue import Catalogue, presets_dir


def test_the_starter_runs_as_it_was_measured() -> None:
    card = json.loads((Path(wangp_cli.__file__).parent / "starter" / "card.json").read_text())
    spec = Catalogue(presets_dir() / "models").get("starter")
    shown = {
        name: spec.defaults[name]
        for name in ("size", "frames", "sampler", "steps", "guidance_scale", "guide_given", "flow_shift")
    }
    assert shown == {name: card[name] for name in shown}
    assert float(spec.defaults["fps"]) == card["fps"]
    assert spec.text_length == card["max_sequence_length"]
