"""The catalogue that ships: whole, and honest."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerate import init_empty_weights

from tests.conftest import Make, Run
from wangp_cli.catalogue import Catalogue, presets_dir, read_yaml
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.models import NO_ARCHITECTURE, Network
from wangp_cli.pipelines.checkpoints.network_classes import network_class
from wangp_cli.runtime.weights.fetch import needed_repositories
from wangp_cli.tasks.finishing import INTERPOLATORS
from wangp_cli.tasks.generate import Generate

SHIPPED = Catalogue(presets_dir() / "models").models
NETWORKS = {spec.network.name: spec.network for spec in SHIPPED.values() if spec.network}
PROMISED = """t2v_1.3B t2v i2v i2v_720p i2v_fusionix fun_inp_1.3B fun_inp flf2v_720p vace_1.3B vace_14B
    vace_14B_cocktail vace_14B_fusionix vace_14B_sf t2v_fusionix t2v_sf moviigen phantom_1.3B phantom_14B
    recam_1.3B fantasy uni3c t2v_2_2 t2i_2_2 i2v_2_2 vace_14B_2_2 vace_fun_14B_2_2 vace_14B_cocktail_2_2
    vace_fun_14B_cocktail_2_2 vace_14B_lightning_3p_2_2 wan_2_2_vace_lightning_baseline_2_2_2
    wan_2_2_i2v_lightning_baseline_2_2_2 wan_2_2_i2v_lightning_svi_3_3
    i2v_2_2_Enhanced_Lightning_v2 ti2v_2_2 ti2v_2_2_fastwan sky_df_1.3B sky_df_14B sky_df_720p_14B animate"""


def test_every_promised_model_is_listed_with_what_is_true_of_it() -> None:
    assert set(PROMISED.split()) <= set(SHIPPED)
    for spec in SHIPPED.values():
        assert spec.licence, spec.name
        if spec.status != "unsupported":
            assert spec.architecture != "none", spec.name
            assert spec.source.repository or spec.source.package or spec.source.file, spec.name


@pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
def test_a_network_is_what_diffusers_builds_from_its_configuration(network: Network) -> None:
    kind = network_class(network.kind)
    with init_empty_weights(include_buffers=False):
        built = kind.from_config(network.config)
    assert sum(weight.numel() for weight in built.parameters()) == network.parameters
    assert network.config.keys() <= dict(built.config).keys()


UNSUPPORTED = """family: wan
models:
  later:
    {title: Later, source: {folder: /x}, accepts: [references], status: unsupported, status_note: it is early}
"""


def test_an_unsupported_model_is_refused_with_its_reason(make: Make, config: Path) -> None:
    (config / "models" / "later.yaml").write_text(UNSUPPORTED)
    outcome = make("later").outcome
    assert outcome.error is not None
    assert outcome.exit_code == 3
    assert "it is early" in outcome.error.message


def test_unsupported_models_are_listed_as_such_and_never_proposed(run: Run, config: Path) -> None:
    (config / "models" / "later.yaml").write_text(UNSUPPORTED)
    env = {"WANGP_CONFIG_DIR": str(config)}
    entries = {entry["name"]: entry for entry in run("models", "--json", env=env, code=0).json()}
    assert entries["later"]["status"] == "unsupported"
    assert entries["t2v"]["parameters"]["transformer"] == 14288491584
    assert entries["t2v"]["bytes"] > 40e9
    served = [name for name, spec in SHIPPED.items() if spec.status != "unsupported"]
    assert all(entries[name]["bytes"] > 1e6 for name in served)
    refused = run("generate", "x", "-m", "t2v", "--image-ref", "x.png", env=env, code=2)
    assert "later" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "lengths"),
    [
        ("t2v_2_2", [19, 11]),
        ("t2i_2_2", [19, 11]),
        ("i2v_2_2", [11, 19]),
        ("vace_14B_2_2", [7, 23]),
        ("vace_fun_14B_2_2", [7, 23]),
        ("vace_14B_cocktail_2_2", [3, 7]),
        ("vace_14B_lightning_3p_2_2", [1, 3, 4]),
        ("wan_2_2_vace_lightning_baseline_2_2_2", [2, 2, 2]),
        ("wan_2_2_i2v_lightning_baseline_2_2_2", [4, 2]),
    ],
)
def test_the_phases_of_two_experts_are_those_that_users_know(name: str, lengths: list[int]) -> None:
    task = Generate.model_validate({"model": name, "prompt": "a"} | SHIPPED[name].defaults)
    assert [length for _, length in task.phase_spans] == lengths
    assert SHIPPED[name].experts == 2


@pytest.mark.parametrize("asked", [1, 5, 81, 100, 200])
def test_a_model_of_one_length_makes_it_whatever_is_asked(asked: int) -> None:
    assert SHIPPED["recam_1.3B"].grid.frames(asked) == 81


def test_every_default_is_a_value_the_tasks_take() -> None:
    for spec in SHIPPED.values():
        Generate.model_validate({"model": spec.name, "prompt": "a"} | spec.defaults)


@pytest.mark.parametrize(
    "name", ["t2v_sf", "vace_14B_sf", "t2v_fusionix", "vace_14B_fusionix", "vace_14B_cocktail"]
)
def test_models_distilled_from_guidance_run_one_pass_in_few_steps(name: str) -> None:
    spec = SHIPPED[name]
    task = Generate.model_validate({"model": name, "prompt": "a"} | spec.defaults)
    assert spec.status != "unsupported"
    assert not task.uses_guidance
    assert task.steps <= 10


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("a: &value 1\nb: *value", "anchors"),
        ("a: !!python/name:os.system x", "not YAML"),
        ("a: 2024-99-99", "not YAML"),
    ],
)
def test_yaml_that_could_exhaust_the_reader_or_names_code_is_refused(
    text: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    with pytest.raises(ModelError, match=reason):
        read_yaml(file)


def test_signs_of_anchors_inside_a_text_are_read(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("prompt: 'salt & pepper * 2'")
    assert read_yaml(file) == {"prompt": "salt & pepper * 2"}


def test_every_shipped_diffusion_model_has_what_a_shot_needs() -> None:
    for spec in (spec for spec in SHIPPED.values() if spec.is_diffusion):
        assert {"size", "frames", "fps", "steps", "guidance_scale", "flow_shift"} <= set(spec.defaults), (
            spec.name
        )
        width, height = map(int, spec.defaults["size"].split("x"))
        assert spec.grid.size(width, height) == (width, height), spec.name
        assert spec.grid.frames(spec.defaults["frames"]) == spec.defaults["frames"], spec.name
        assert spec.requires <= spec.accepts, spec.name


def test_every_shipped_tool_tells_what_a_user_must_know() -> None:
    for spec in (spec for spec in SHIPPED.values() if not spec.is_diffusion):
        assert spec.licence != "unknown", spec.name
        assert spec.parameters, spec.name
        assert spec.architecture != NO_ARCHITECTURE, spec.name
        assert "NC" not in spec.licence or "non-commercial" in spec.licence_note, spec.name
        assert needed_repositories(spec), spec.name


def test_every_shipped_interpolator_makes_frames_in_between() -> None:
    interpolators = {spec.architecture for spec in SHIPPED.values() if spec.kind == "interpolator"}
    assert interpolators == set(INTERPOLATORS.architectures)


@pytest.mark.parametrize("name", ["a.safetensors", "x/y.GGUF", "./workflow.json", "C:\\x.pth"])
def test_the_name_of_a_file_is_no_model(name: str) -> None:
    with pytest.raises(RequestError, match="there is no model") as caught:
        Catalogue().get(name)
    assert caught.value.hint == f"`wangp models add NAME {name}` makes a model of weight files"
