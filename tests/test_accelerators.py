"""Accelerators: which models they are for, their numbers, and whose LoRAs come first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from tests.conftest import Make
from tests.support.lora_hub import tensors
from wangp_cli.accelerators import Accelerators
from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.errors import RequestError
from wangp_cli.media.read_video import read_video
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.intake.settings_file import load_settings_file
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.lora_strength import Strength
from wangp_cli.value_layers import Layer

FIELDS = {name: field for task in TASKS.values() for name, field in task.model_fields.items()}


@pytest.fixture(scope="module")
def shipped() -> Accelerators:
    return Accelerators(presets_dir() / "accelerators")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(presets_dir() / "models")


def test_every_accelerator_is_for_a_model_of_the_catalogue(
    shipped: Accelerators, catalogue: Catalogue
) -> None:
    names = {"causvid", "accvid", "lightx2v", "fusionix", "cocktail", "lightning", "fastwan"}
    assert names <= shipped.all.keys()
    for accelerator in shipped.all.values():
        for variant in accelerator.variants:
            models = [spec for spec in catalogue.models.values() if variant.fits(spec)]
            assert models, (accelerator.name, variant.made_for)
            assert variant.values.keys() <= FIELDS.keys()
            phases = variant.values.get("guidance_phases", 1)
            for lora in variant.loras:
                Strength.parse(lora.strength).in_phases(phases)


def test_every_accelerated_model_names_one_that_fits(shipped: Accelerators, catalogue: Catalogue) -> None:
    named = [spec for spec in catalogue.models.values() if "accelerator" in spec.defaults]
    assert {"i2v_fusionix", "vace_14B_cocktail", "ti2v_2_2_fastwan"} <= {spec.name for spec in named}
    for spec in named:
        assert shipped.variant(spec.defaults["accelerator"], spec).loras


@pytest.mark.parametrize(
    ("name", "model", "message", "hint"),
    [
        ("lightning", "t2v", "'lightning' is for t2v_14B x 2.*model 't2v' is t2v_14B$", "causvid"),
        ("causvid", "t2v_2_2", "model 't2v_2_2' is t2v_14B x 2", "lightning"),
        ("fusionix", "t2v_1.3B", "model 't2v_1.3B' is t2v_1.3B", "for t2v_1.3B there is: causvid"),
        ("fastwan", "starter", "model 'starter'", "for starter there is none"),
        ("lightening", "t2v_2_2", "there is no accelerator 'lightening'", "did you mean lightning"),
    ],
)
def test_another_model_is_refused_with_those_that_fit(
    shipped: Accelerators, catalogue: Catalogue, name: str, model: str, message: str, hint: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        shipped.variant(name, catalogue.get(model))
    assert hint in str(caught.value.hint)


@pytest.fixture
def quick(tiny_models: Path, home: Path) -> Any:
    """An accelerator of the tiny text-to-video model, and two LoRA files in the LoRA folder."""
    folder = home / ".local/share/wangp/loras"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("fast", "ink")):
        save_file(tensors(seed), folder / f"{name}.safetensors")
    place = tiny_models / "accelerators"
    place.mkdir(exist_ok=True)
    entry = {
        "variants": [
            {
                "models": ["tiny_t2v"],
                "loras": [{"file": "fast", "strength": 0.5}],
                "values": {"steps": 3, "flow_shift": 7.0, "guidance_scale": 1.0},
                "source": "this test",
            }
        ]
    }
    (place / "quick.yaml").write_text(yaml.safe_dump(entry))
    return folder


def settled(**said: Any) -> Any:
    session = bootstrap.start([])
    values = {"type": "generate", "prompt": "a red circle", "model": "tiny_t2v", "seed": 7}
    return resolve([Layer(kind="flag", values=values | said)], session)


@pytest.fixture
def known(tiny_models: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tiny_models))
    monkeypatch.setenv("HOME", str(home))


@pytest.mark.usefixtures("known")
def test_its_numbers_give_way_to_what_is_said(quick: Path) -> None:
    request = settled(accelerator="quick", flow_shift=2.0, loras=["ink@0.8"])
    assert (request.task.steps, request.task.flow_shift) == (3, 2.0)
    assert (str(request.origin["steps"]), str(request.origin["flow_shift"])) == ("accelerator quick", "flag")
    assert [(lora.path.stem, str(lora.strength), lora.own) for lora in request.loras] == [
        ("fast", "0.5", False), ("ink", "0.8", True),
    ]  # fmt: skip
    assert settled(accelerator="none").task.steps == 2
    with pytest.raises(RequestError, match="model 'tiny_vace'"):
        settled(accelerator="quick", model="tiny_vace")


@pytest.mark.usefixtures("known")
def test_its_strengths_come_before_the_bar(quick: Path) -> None:
    request = settled(accelerator="quick", loras=["ink"], lora_multipliers="0.3 | 0.8")
    assert [str(lora.strength) for lora in request.loras] == ["0.3", "0.8"]
    with pytest.raises(RequestError, match=r"2 strengths before \|"):
        settled(accelerator="quick", lora_multipliers="0.3 0.4 |")


def test_an_accelerated_result_comes_back_as_it_was(make: Make, quick: Path) -> None:
    plain = make(name="plain", steps=3, flow_shift=7.0)
    fast = make(name="fast", accelerator="quick", loras=["ink@0.2"])
    assert not np.array_equal(plain.frames, fast.frames)
    assert [event.data["path"] for event in fast.events if event.type == "lora.loaded"] == [
        str(quick / "fast.safetensors"), str(quick / "ink.safetensors"),
    ]  # fmt: skip
    again = make(None, layers=(load_settings_file(fast.path),), name="again")
    assert np.array_equal(fast.frames, again.frames)


def test_the_next_task_loads_only_what_differs(make: Make, quick: Path, tmp_path: Path) -> None:
    events: list[Any] = []
    session = bootstrap.start([events.append])
    common = {
        "prompt": "a red circle",
        "model": "tiny_t2v",
        "seed": 7,
        "codec": "ffv1",
        "output_dir": tmp_path,
    }
    wishes: list[tuple[str, ...]] = [(), ("ink@0.5",), ("ink@0.9",), ("fast@1", "ink@0.9"), ()]
    frames = []
    for number, loras in enumerate(wishes):
        said = Layer(kind="flag", values={**common, "loras": loras, "name": str(number)})
        outcome = execute(lambda said=said: [said], session)  # type: ignore[misc]
        assert outcome.error is None
        frames.append(read_video(Path(outcome.artifacts[0].path)).frames)
    session.pool.close()
    told = [
        event.type for event in events if event.type in ("model.loading", "lora.loaded", "task.completed")
    ]
    assert told == [
        "model.loading", "task.completed", "lora.loaded", "task.completed", "task.completed", "lora.loaded",
        "task.completed", "task.completed",
    ]  # fmt: skip
    assert not np.array_equal(frames[1], frames[2])
    assert np.array_equal(frames[0], frames[4])
