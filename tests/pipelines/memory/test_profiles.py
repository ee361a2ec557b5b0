"""Which memory profile is chosen, and what is said of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import ResourceError
from wangp_cli.pipelines.base import Placement
from wangp_cli.pipelines.memory import meter
from wangp_cli.pipelines.memory.profiles import choose_profile, fastest_fitting

GB = 10**9
WAN_14B = {"transformer": 28 * GB, "text_encoder": 11 * GB, "vae": GB // 2}


@pytest.mark.parametrize(
    ("device", "free", "main", "profile"),
    [
        ("cuda", 80, 200, "1"),
        ("cuda", 40, 64, "3"),
        ("cuda", 24, 128, "2"),
        ("cuda", 24, 52, "4"),
        ("cuda", 3, 128, "4"),
        ("cuda", 24, 32, "5"),
        ("cpu", 64, 64, "1"),
        ("cpu", 40, 40, "3"),
        ("cpu", 16, 16, "4"),
        ("cpu", 4, 4, "5"),
    ],
)
def test_the_fastest_profile_that_fits_is_chosen(device: str, free: int, main: int, profile: str) -> None:
    chosen, why = fastest_fitting(WAN_14B, device, free * GB, main * GB)
    assert chosen == profile
    assert "39.5 GB" in why
    assert f"{free}.0 GB are free on {device}" in why


def test_parts_that_are_there_already_are_not_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "free", lambda device: (64 if device == "cpu" else 40) * GB)
    placement = Placement(profile="auto", device="cuda")
    assert choose_profile(placement, WAN_14B)[0].profile == "3"
    assert choose_profile(placement, WAN_14B, held=11 * GB)[0].profile == "1"


@pytest.mark.parametrize(
    ("profile", "device", "on_gpu", "main", "said"),
    [
        ("auto", "cpu", 0, 0.1, r"5 holds \S+ GB of 39.5 GB of weights on cpu, which has 0.1 GB free"),
        ("1", "cpu", 0, 24, "1 holds 39.5 GB"),
        ("1", "cuda", 24, 200, "1 holds 39.5 GB of 39.5 GB of weights on cuda"),
        ("4", "cuda", 24, 32, "4 holds 39.5 GB of 39.5 GB of weights on cpu, which has 32.0 GB free"),
        ("auto", "cuda", 0.1, 200, "5 holds 1.2 GB of 39.5 GB of weights on cuda, which has 0.1 GB free"),
    ],
)
def test_too_little_memory_is_said_before_anything_is_loaded(
    profile: Any, device: str, on_gpu: float, main: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "free", lambda where: int((main if where == "cpu" else on_gpu) * GB))
    with pytest.raises(ResourceError, match=said) as caught:
        choose_profile(Placement(profile=profile, device=device), WAN_14B)
    assert caught.value.retryable == (profile != "auto")
    assert caught.value.exit_code == 4
    assert "--estimate" in str(caught.value.hint)


def test_mapped_weights_need_no_memory_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "free", lambda _device: 24 * GB)
    assert choose_profile(Placement(profile="1"), WAN_14B, mapped=True)[0].profile == "1"


def test_a_disk_that_is_too_small_is_said_with_the_estimate(tmp_path: Path) -> None:
    placement = Placement(profile="4", work_dir=tmp_path / "deep")
    with pytest.raises(ResourceError, match=r"profile: 4 keeps 1000000.0 GB .* free") as caught:
        choose_profile(placement, {"transformer": 10**15})
    assert "work_dir" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"profile": "2"}, "on a CPU it equals profile 1"),
        ({"preload": 100}, "profile 1 streams no weights"),
        ({"mixed_precision": False}, "has no effect"),
    ],
)
def test_what_does_nothing_is_said(
    changes: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        choose_profile(Placement(**changes), {"transformer": 1})
    assert told in caplog.text
