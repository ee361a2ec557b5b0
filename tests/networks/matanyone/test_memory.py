import pytest
import torch
from torch import Tensor

from wangp_cli.networks.matanyone import memory as memory_module
from wangp_cli.networks.matanyone.memory import PixelMemory
from wangp_cli.networks.matanyone.network import FrameFeatures

HEIGHT, WIDTH = 3, 4


def frame(seed: int, *, scale: float = 1.0) -> FrameFeatures:
    random = torch.Generator().manual_seed(seed)
    empty = torch.zeros(1)
    return FrameFeatures(
        image=empty,
        skips=(empty, empty, empty, empty),
        feature=empty,
        key=torch.randn(1, 64, HEIGHT, WIDTH, generator=random) * scale,
        shrinkage=1 + torch.rand(1, 1, HEIGHT, WIDTH, generator=random),
        selection=torch.rand(1, 64, HEIGHT, WIDTH, generator=random),
    )


def value(seed: int) -> Tensor:
    return torch.randn(1, 256, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def plain_read(known: list[tuple[FrameFeatures, Tensor]], query: FrameFeatures, top_k: int) -> Tensor:
    """Formula (1) of XMem, pixel by pixel."""
    keys = [
        (frame.key[0, :, y, x], frame.shrinkage[0, 0, y, x], values[0, :, y, x])
        for frame, values in known
        for y in range(HEIGHT)
        for x in range(WIDTH)
    ]
    read = torch.empty(1, 256, HEIGHT, WIDTH, dtype=torch.float64)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            q, e = query.key[0, :, y, x].double(), query.selection[0, :, y, x].double()
            similarity = torch.stack(
                [-(e * (k.double() - q) ** 2).sum() * s.double() / 8 for k, s, _ in keys]
            )
            best = similarity.argsort(descending=True)[:top_k]
            weights = torch.softmax(similarity[best], 0)
            read[0, :, y, x] = sum(w * keys[i][2].double() for w, i in zip(weights, best, strict=True))
    return read


@pytest.mark.parametrize("largest", [2**24, 100], ids=["whole", "in pieces"])
def test_the_most_similar_tokens_are_mixed_by_the_published_formula(
    monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    monkeypatch.setattr(memory_module, "LARGEST", largest)
    memory = PixelMemory(frames=5, top_k=6)
    memory.restart(frame(0, scale=0.2), value(0))
    memory.add(frame(1, scale=0.2), value(1))
    read = memory.read(query := frame(2, scale=0.2))
    known = [(frame(0, scale=0.2), value(0)), (frame(1, scale=0.2), value(1))]
    torch.testing.assert_close(read.double(), plain_read(known, query, 6), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(read.double(), plain_read(known, query, 7), atol=1e-4, rtol=1e-4)


def test_the_first_frame_stays_and_the_oldest_other_goes() -> None:
    memory = PixelMemory(frames=3, top_k=30)
    memory.restart(frame(0), value(0))
    for seed in range(1, 6):
        memory.add(frame(seed), value(seed))
    kept = PixelMemory(frames=3, top_k=30)
    kept.restart(frame(0), value(0))
    kept.add(frame(4), value(4))
    kept.add(frame(5), value(5))
    assert torch.equal(memory.read(frame(9)), kept.read(frame(9)))
    memory.restart(frame(0), value(0))
    assert not torch.equal(memory.read(frame(9)), kept.read(frame(9)))


def test_a_memory_of_one_frame_keeps_the_first_alone() -> None:
    memory = PixelMemory(frames=1, top_k=30)
    memory.restart(frame(0), value(0))
    first = memory.read(frame(9))
    memory.add(frame(1), value(1))
    assert torch.equal(memory.read(frame(9)), first)


def test_pixels_far_from_all_tokens_read_numbers() -> None:
    memory = PixelMemory(frames=5, top_k=30)
    memory.restart(frame(0, scale=100), value(0))
    assert torch.isfinite(memory.read(frame(1, scale=100))).all()
