"""Diffusion forcing: which step each latent frame of a video is at, pass by pass."""

from __future__ import annotations


def round_up_to_block(frames: int, block: int) -> int:
    """The count of latent frames, or the next that is a multiple of `block`."""
    return -(-frames // block) * block


def steps_before_each_pass(
    frames: int, steps: int, *, known: int = 0, lag: int = 0, block: int = 1
) -> list[list[int]]:
    """The steps that each latent frame behind the known ones has made before every pass of the network.

    A frame whose count is negative waits as noise; one that has made all `steps` is clean.

    Args:
        frames: latent frames of the run.
        steps: that every frame makes.
        known: frames at the beginning that are given.
        lag: steps by which a block begins after the one before; 0 denoises all frames together.
        block: latent frames that go together.

    Source: Chen et al. 2024, arXiv:2407.01392, diffusion forcing; the waves are those of SkyReels V2.
    """
    lag = min(lag, steps)
    first = known // block
    behind = [lag * (frame // block - first) for frame in range(known, frames)]
    if not behind:
        return []
    return [[made - late for late in behind] for made in range(steps + behind[-1])]
