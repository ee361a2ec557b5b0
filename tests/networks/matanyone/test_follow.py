import gc
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.support.matanyone import random_matanyone
from wangp_cli.networks.matanyone.follow import Follower, FollowSettings

SETTINGS = FollowSettings(warmup=1, memory_every=2, memory_frames=3, top_k=6)
FRAMES = torch.rand(7, 1, 3, 40, 36, generator=torch.Generator().manual_seed(1))


def mask(left: int = 8) -> Tensor:
    mask = torch.zeros(1, 1, 40, 36)
    mask[:, :, 10:30, left : left + 16] = 1
    return mask


def follow(settings: FollowSettings = SETTINGS, left: int = 8) -> Tensor:
    follower = Follower(random_matanyone(), settings)
    return torch.cat([follower.start(FRAMES[0], mask(left)), *map(follower.step, FRAMES[1:])])


@pytest.fixture(scope="module")
def usual() -> Tensor:
    return follow()


def test_alpha_is_that_of_each_frame_and_the_same_each_time(usual: Tensor) -> None:
    assert usual.shape == (7, 1, 40, 36)
    assert usual.dtype == torch.float32
    assert 0 <= usual.min() < usual.max() <= 1
    assert torch.equal(follow(), usual)


@pytest.mark.parametrize(
    ("name", "value", "same"),
    # The memory is read from the second frame on; frames enter it after their own alpha is made.
    [("warmup", 2, 0), ("top_k", 3, 1), ("memory_every", 3, 3), ("memory_frames", 2, 5)],
)
def test_every_setting_changes_alpha_from_the_frame_where_it_matters(
    usual: Tensor, name: str, value: int, same: int
) -> None:
    changed = follow(replace(SETTINGS, **{name: value}))
    assert torch.equal(changed[:same], usual[:same])
    assert not torch.equal(changed[same], usual[same])


@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_the_memory_is_read_where_the_object_changed_alone(bias: float) -> None:
    network = deepcopy(random_matanyone())
    change = network.temp_sparity
    change.bn2.weight.zero_()
    change.bn2.bias.fill_(1)
    change.conv3x3_out.weight.fill_(bias)
    alphas = []
    for top_k in (1, 30):
        follower = Follower(network, replace(SETTINGS, top_k=top_k))
        follower.start(FRAMES[0], mask())
        alphas.append(follower.step(FRAMES[1]))
    assert torch.equal(*alphas) is (bias < 0)


def test_another_mask_gives_another_alpha(usual: Tensor) -> None:
    assert (follow(left=12) - usual).abs().amax((1, 2, 3)).min() > 0


def test_a_new_key_frame_forgets_all_before(usual: Tensor) -> None:
    follower = Follower(random_matanyone(), SETTINGS)
    follower.start(FRAMES[4], mask(2))
    follower.step(FRAMES[5])
    follower.step(FRAMES[6])
    again = [follower.start(FRAMES[0], mask()), follower.step(FRAMES[1])]
    assert torch.equal(torch.cat(again), usual[:2])


def test_frames_are_padded_with_black_on_both_sides_to_whole_cells(usual: Tensor) -> None:
    # 36 is 48 less 12, and 40 is 48 less 8.
    follower = Follower(random_matanyone(), SETTINGS)
    margins = (6, 6, 4, 4)
    padded = follower.start(
        torch.nn.functional.pad(FRAMES[0], margins), torch.nn.functional.pad(mask(), margins)
    )
    assert torch.equal(padded[:, :, 4:44, 6:42], usual[:1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    follower = Follower(random_matanyone(), replace(SETTINGS, warmup=0))
    follower.start(FRAMES[0], mask())

    def held() -> int:
        gc.collect()
        return sum(item.numel() for item in gc.get_objects() if type(item) is Tensor)

    for image in FRAMES[:4]:
        follower.step(image)
    early = held()
    for image in FRAMES[:4]:
        follower.step(image)
    assert held() == early
