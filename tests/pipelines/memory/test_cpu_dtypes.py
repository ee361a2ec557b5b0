"""Which 16-bit dtypes a CPU is slow in."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.pipelines.memory import cpu_dtypes
from wangp_cli.pipelines.memory.cpu_dtypes import is_cpu, is_slow

AVX2 = "processor\t: 0\nmodel name\t: x\nflags\t\t: fpu avx2 fma f16c\n"


@pytest.mark.parametrize(
    ("text", "slow"),
    [
        (AVX2, {"bfloat16", "float16"}),
        (AVX2.replace("f16c", "avx512f avx512bw avx512_bf16"), {"float16"}),
        (AVX2.replace("f16c", "amx_tile amx_bf16 avx512_fp16"), set()),
        ("processor\t: 0\nFeatures\t: fp asimd fphp asimdhp bf16\n", set()),
        ("processor\t: 0\nFeatures\t: fp asimd\n", {"bfloat16", "float16"}),
        ("processor\t: 0\nisa\t\t: rv64imafdc\n", set()),
        (None, set()),
    ],
)
def test_a_dtype_without_instructions_is_slow(text: str | None, slow: set[str], tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    assert {name for name in ("float32", "bfloat16", "float16", "auto") if is_slow(name, file)} == slow


@pytest.mark.parametrize(
    ("device", "torch", "accelerator", "wanted"),
    [
        ("cpu", "2.0", True, True),
        ("cuda:1", "2.0+cpu", False, False),
        ("mps", "2.0", False, False),
        ("auto", "2.0+cpu", True, True),
        ("auto", "2.0+cu126", True, False),
        ("auto", "2.0", False, True),
    ],
)
def test_the_cpu_is_known_without_torch(
    device: str,
    torch: str,
    accelerator: bool,
    wanted: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu_dtypes, "version", lambda _name: torch)
    there = tmp_path if accelerator else tmp_path / "nothing"
    monkeypatch.setattr(cpu_dtypes, "ACCELERATORS", (str(there),))
    monkeypatch.setattr("sys.platform", "linux")
    assert is_cpu(device) == wanted
