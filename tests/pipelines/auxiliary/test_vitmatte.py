"""ViTMatte on a tiny checkpoint, against the stock model and its processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.models.vitmatte.image_processing_pil_vitmatte import VitMatteImageProcessorPil

from wangp_cli.errors import ModelError
from wangp_cli.matting.matter import Mask
from wangp_cli.media.clip import Frames
from wangp_cli.models import ModelSpec, Source
from wangp_cli.pipelines.auxiliary import vitmatte
from wangp_cli.pipelines.auxiliary.vitmatte import Refiner, inputs, padded, trimap
from wangp_cli.pipelines.base import Weights

HEIGHT, WIDTH = 72, 100
SPEC = ModelSpec(name="tiny", title="Tiny", kind="matting", architecture="vitmatte", source=Source())


@pytest.fixture(scope="session")
def refiner(sam_folders: dict[str, Path]) -> Refiner:
    """The loaded checkpoint."""
    return vitmatte.load(SPEC, Weights(folder=sam_folders["vitmatte"]), "cpu", "float32")


@pytest.fixture
def frames() -> Frames:
    """Noise of three frames."""
    return np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)


def disc(radius: float = 22) -> Mask:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray((x - 50) ** 2 + (y - 36) ** 2 < radius**2, np.float32)


def test_the_band_along_the_edge_is_unknown() -> None:
    mask = np.zeros((20, 40), np.float32)
    mask[:, 20:] = 1
    expected = np.full(40, vitmatte.UNKNOWN)
    expected[:17], expected[23:] = vitmatte.BACKGROUND, vitmatte.FOREGROUND
    np.testing.assert_array_equal(trimap(mask, 3), np.tile(expected, (20, 1)))
    mask[5, 35] = 0.5
    assert (trimap(mask, 3)[2:9, 35] == vitmatte.UNKNOWN).all()


def test_the_network_sees_what_the_stock_processor_gives(frames: Frames) -> None:
    known = trimap(disc(), 3)
    stock = VitMatteImageProcessorPil()(frames[0], known, return_tensors="pt").pixel_values
    assert stock.shape == (1, 4, 96, 128)
    torch.testing.assert_close(
        padded(inputs(frames[0], known, known.shape)), stock.float(), atol=1e-6, rtol=0
    )


def test_the_edge_is_the_networks_and_the_rest_is_certain(
    refiner: Refiner, sam_folders: dict[str, Path], frames: Frames
) -> None:
    from transformers import VitMatteForImageMatting

    alpha = refiner.refine(frames[0], disc())
    known = trimap(disc(), round(HEIGHT / 48))
    model = VitMatteForImageMatting.from_pretrained(sam_folders["vitmatte"]).eval()
    with torch.no_grad():
        stock = model(padded(inputs(frames[0], known, known.shape))).alphas[0, 0, :HEIGHT, :WIDTH].numpy()
    unknown = known == vitmatte.UNKNOWN
    np.testing.assert_array_equal(alpha[unknown], stock[unknown])
    assert set(np.unique(alpha[~unknown])) == {0, 1}
    assert alpha[unknown].std() > 0.01
    other = refiner.refine(frames[1], disc())
    assert np.abs(other - alpha)[unknown].mean() > 0.01


def test_a_frame_of_too_many_pixels_is_refined_at_a_smaller_size(
    refiner: Refiner, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = np.broadcast_to(frames[0][:1, :1], frames[0].shape)
    large = refiner.refine(flat, disc())
    monkeypatch.setattr(vitmatte, "MOST_PIXELS", HEIGHT * WIDTH // 4)
    seen: list[tuple[int, ...]] = []
    handle = refiner._model.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    small = refiner.refine(flat, disc())
    handle.remove()
    assert seen == [(1, 4, 64, 64)]
    assert small.shape == (HEIGHT, WIDTH)
    unknown = trimap(disc(), 2) == vitmatte.UNKNOWN
    np.testing.assert_array_equal(small[~unknown], large[~unknown])
    assert np.abs(small - large)[unknown].mean() > 0


def test_a_frame_without_an_edge_stays_certain(refiner: Refiner, frames: Frames) -> None:
    assert not refiner.refine(frames[0], np.zeros((HEIGHT, WIDTH), np.float32)).any()
    assert refiner.refine(frames[0], np.ones((HEIGHT, WIDTH), np.float32)).all()


def test_a_folder_of_another_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "sam2_video"}')
    with pytest.raises(ModelError, match="holds a model of type sam2_video; vitmatte is wanted"):
        vitmatte.load(SPEC, Weights(folder=tmp_path), "cpu", "float32")
