"""Diffusion forcing: how many steps each latent frame has made before each pass of the network."""

from __future__ import annotations


def round_up_to_block(frames: int, block: int) -> int:
    """The smallest multiple of `block` that is at least `frames`, both in latent frames."""
    return -(-frames // block) * block


def steps_before_each_pass(
    frames: int, steps: int, *, known: int = 0, lag: int = 0, block: int = 1
) -> list[list[int]]:
    """For each pass of the network, the steps that each latent frame after the known ones has made before it.

    A frame with a negative count is still noise; one that has made all `steps` is clean.

    Args:
        frames: latent frames of the run.
        steps: of every frame.
        known: given frames at the beginning.
        lag: steps by which a block starts after the one before it; 0 denoises all frames together.
        block: latent frames that are denoised together.

    Source: Chen et al. 2024, arXiv:2407.01392, diffusion forcing; the order is that of SkyReels V2.
    """
    lag = min(lag, steps)
    first = known // block
    behind = [lag * (frame // block - first) for frame in range(known, frames)]
    if not behind:
        return []
    return [[made - late for late in behind] for made in range(steps + behind[-1])]
