"""Phases, guidance and starts as the older tools write them."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate, translate_values
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.shot import Shot


def config(*lengths: int, **more: Any) -> dict[str, Any]:
    phases = [{"phase": number, "guidance_scale": 1.0} for number, _ in enumerate(lengths, start=1)]
    return {"num_phases": len(lengths), "steps_per_phase": list(lengths), "phases": phases} | more


def split(values: dict[str, Any]) -> list[int]:
    known = {key: value for key, value in values.items() if key in Shot.model_fields}
    return [length for _, length in Shot.model_validate(known).phase_spans]


@pytest.mark.parametrize("solver", ["euler", "unipc", "", "dpm++"])
@pytest.mark.parametrize(
    ("lengths", "shift"), [((2, 2, 2), 5), ((3, 3), 5), ((1, 3, 2), 3), ((4, 4), 12), ((2, 4, 0), 5)]
)
def test_a_phase_config_splits_the_steps_as_it_says(
    solver: str, lengths: tuple[int, ...], shift: float
) -> None:
    found = translate_values({"phase_config": config(*lengths, flow_shift=shift, sample_solver=solver)})
    assert found["steps"] == sum(lengths)
    assert found["flow_shift"] == shift
    assert found["sampler"] == (solver or "unipc")
    assert split(found) == list(lengths)


def test_a_phase_config_is_what_users_know_by_its_numbers() -> None:
    found = translate_values(
        {
            "type": "travel",
            "model": "wan_2_2_vace_lightning_baseline_2_2_2",
            "guidance_scale": 9,
            "phase_config": config(
                2, 2, 2, flow_shift=5.0, sample_solver="euler", model_switch_phase=2,
                phases=[{"phase": 1, "guidance_scale": 3}, {"phase": 2}, {"phase": 3}],
            ),
        }
    )  # fmt: skip
    assert found.pop("switch_threshold") == pytest.approx(917.4818, abs=1e-4)
    assert found.pop("switch_threshold2") == pytest.approx(663.2310, abs=1e-4)
    assert found == {
        "type": "travel",
        "model": "wan_2_2_vace_lightning_baseline_2_2_2",
        "steps": 6,
        "sampler": "euler",
        "flow_shift": 5.0,
        "guidance_phases": 3,
        "guidance_scale": 3,
        "guidance2_scale": 1.0,
        "guidance3_scale": 1.0,
        "model_switch_phase": 2,
    }


@pytest.mark.parametrize(
    ("lengths", "phases", "loras"),
    [
        ((2, 2), [{"x": "1.20"}, {"y": "1"}], ["x@1.20;0", "y@0;1"]),
        ((3, 2), [{"x": "1,0.5,0.25"}, {"x": 0.5}], ["x@1,0.5,0.25;0.5"]),
        (
            (2, 2, 2),
            [{"high": "1.2", "style": "0.5"}, {"high": 0.6, "style": "0.5"}, {"high": "0.0", "style": "0.8"}],
            ["high@1.2;0.6;0.0", "style@0.5;0.5;0.8"],
        ),
        ((2, 2), [{" ": "1"}, {}], None),
    ],
)
def test_loras_of_a_phase_config_are_strong_in_their_phases(
    lengths: tuple[int, ...], phases: list[dict[str, Any]], loras: list[str] | None
) -> None:
    parts = [{"loras": [{"url": url, "multiplier": said} for url, said in part.items()]} for part in phases]
    found = translate_values({"phase_config": config(*lengths, phases=parts)})
    assert found.get("loras") == loras
    more = {"loras": ["mine@0.3"], "phase_config": config(*lengths, phases=parts)}
    assert translate_values(more)["loras"] == ["mine@0.3", *(loras or [])]


def test_numbers_of_phases_that_differ_are_told_and_the_described_ones_count() -> None:
    found = translate({"phase_config": config(3, 3, num_phases=3, phases=[{}, {}, {}])})
    assert found.values["guidance_phases"] == 3
    assert split(found.values) == [3, 3, 0]
    assert found.notices == ("phase_config: num_phases is 3, steps_per_phase has 2, phases 3",)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"phase_config": config(6)}, "1 phases, but two or three are wanted"),
        ({"phase_config": config(2, 2, 2, 2)}, "4 phases, but two or three are wanted"),
        ({"phase_config": config(3, 3), "steps": 8}, r"\[3, 3\] are 6 steps, but steps says 8"),
        ({"phase_config": config(3, 3, phases=[{}])}, "phases describes 1, but there are 2 phases"),
        ({"phase_config": config(0, 0)}, "steps_per_phase has 0 steps"),
        ({"phase_config": config(3, 10**9)}, "must be 1 to 500"),
        ({"phase_config": config(3, -1)}, "item 2: -1 is no whole number"),
        ({"phase_config": config(3, 3, flow_shift=0)}, "flow_shift: 0 is too small"),
        ({"phase_config": config(3, 3, solver="euler")}, "'solver' is no key of it"),
        ({"phase_config": config(3, 3, svi2pro=True)}, "SVI is a way to travel"),
        ({"phase_config": "x"}, "phase_config: 'x' is no object"),
        (
            {"phase_config": config(3, 3, phases=[{"loras": [{"url": "x", "multiplier": "abc"}]}, {}])},
            "multiplier 'abc' of phase 1 is no number",
        ),
        (
            {"phase_config": config(3, 3, phases=[{"loras": [{"url": "x", "multiplier": "1,2"}]}, {}])},
            "multiplier '1,2' has 2 values, but phase 1 has 3 steps",
        ),
    ],
    ids=str,
)
def test_a_phase_config_that_contradicts_itself_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        translate_values(said)


def test_switches_of_guidance_become_its_flags() -> None:
    written = {
        "cfg_star_switch": 1, "cfg_zero_step": 2, "perturbation_switch": 1, "perturbation_layers": [9, 10],
        "perturbation_start_perc": 10, "perturbation_end_perc": 90, "apg_switch": 0,
        "NAG_scale": 5, "NAG_tau": 3, "NAG_alpha": 1,
    }  # fmt: skip
    found = translate_values(written | {"prompt": "a"})
    assert found == {
        "prompt": "a",
        "cfg_zero": True,
        "zero_init_steps": 3,
        "skip_layers": [9, 10],
        "skip_layer_start": 0.1,
        "skip_layer_stop": 0.9,
        "nag_scale": 5,
        "nag_tau": 3,
        "nag_alpha": 1,
    }
    assert Generate.model_validate(found | {"model": "t2v"}).skip_layers == (9, 10)
    assert translate_values({"slg_switch": 1, "slg_layers": [8]}) == {"skip_layers": [8]}
    assert translate_values({"slg_switch": 1}) == {"skip_layers": [9]}
    assert translate_values({"apg_switch": 1}) == {"apg": True}
    off = dict.fromkeys(("cfg_star_switch", "apg_switch", "perturbation_switch", "slg_switch"), 0)
    assert (
        translate_values(off | {"cfg_zero_step": 5, "slg_layers": [1], "NAG_scale": 1, "NAG_tau": 3.5}) == {}
    )
    with pytest.raises(RequestError, match="perturbation_switch: 2 is not served"):
        translate_values({"perturbation_switch": 2})


def test_the_mode_of_a_skyreels_model_is_the_lag_of_its_blocks() -> None:
    found = translate_values(
        {"model_type": "sky_df_14B", "model_mode": 5, "sliding_window_overlap_noise": 20}
    )
    said = {"ar_step": 5, "causal_block_size": 5, "addnoise_condition": 20}
    assert found == {"model": "sky_df_14B"} | said
    assert Generate.model_validate({"prompt": "a"} | found).forcing_fields == list(said)
    assert translate_values({"model_type": "sky_df_14B", "model_mode": 0}) == {"model": "sky_df_14B"}
    assert translate_values({"model_type": "t2v", "sliding_window_overlap_noise": 20}) == {"model": "t2v"}
    with pytest.raises(RequestError, match="model_mode: 5 is not served"):
        translate_values({"model_type": "t2v", "model_mode": 5})


def test_numbers_of_phases_out_of_order_are_told() -> None:
    parts = [{"phase": 2}, {"phase": 1}]
    notices = translate({"phase_config": config(2, 2, phases=parts)}).notices
    assert notices == ("phase_config: phases are read in the order of the list, whatever their numbers",)


def test_fields_of_guidance_are_named_by_their_keys() -> None:
    document = {"task_type": "t2v", "NAG_scale": 24, "slg_switch": 1, "slg_layers": [3]}
    given_as = translate(document).given_as
    assert given_as["nag_scale"] == "NAG_scale"
    assert given_as["skip_layers"] == "slg_layers"
    assert "nag_tau" not in given_as
