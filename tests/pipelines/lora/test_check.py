"""Which networks a LoRA file fits."""

from __future__ import annotations

from pathlib import Path

from tests.support import checkpoint_layouts, tiny
from tests.support.lora_files import LAYOUTS, draw, saved
from wangp_cli.pipelines.lora.check import check_fit


def test_a_file_fits_a_network_of_its_layers_and_no_shallower_one(tmp_path: Path) -> None:
    model = tiny.transformer()
    networks = [
        checkpoint_layouts.network_of(model),
        checkpoint_layouts.network_of(tiny.transformer(num_layers=1), "shallow"),
    ]
    factors = draw(model)
    whole, shallow = check_fit(saved(tmp_path, LAYOUTS["comfy"](factors)).path, networks)
    assert (whole.network, whole.fits, whole.layers) == ("tiny", True, len(factors))
    assert (shallow.network, shallow.fits) == ("shallow", False)
    assert all("block 1" in reason for reason in shallow.rejected.values())
