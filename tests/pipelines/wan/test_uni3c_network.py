"""Uni3C's control network, against a plain computation."""

from __future__ import annotations

import torch
from torch.nn import functional as nn

from tests.support import tiny, tiny_uni3c
from wangp_cli.pipelines.wan.uni3c_network import ControlResiduals


def plain(weights: dict[str, torch.Tensor], latents: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """What the control network adds to the first block, written out."""
    tokens = nn.conv3d(
        latents,
        weights["controlnet_patch_embedding.weight"],
        weights["controlnet_patch_embedding.bias"],
        stride=(1, 2, 2),
    )
    frames, rows, columns = tokens.shape[2:]

    def linear(name: str, values: torch.Tensor) -> torch.Tensor:
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shift, scale, gate = linear(f"{name}.linear", nn.silu(time)).chunk(3, dim=-1)
        own = nn.layer_norm(
            values, values.shape[-1:], weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"]
        )
        return own * (1 + scale) + shift, gate

    block = "controlnet_blocks.0"
    tokens = linear("proj_in", tokens.flatten(2)[0].T)
    normed, gate = norm(f"{block}.norm1", tokens)
    query, key = (
        nn.rms_norm(values, values.shape[-1:], weights[f"{block}.self_attn.norm_{part}.weight"], 1e-6)
        for part in "qk"
        for values in (linear(f"{block}.self_attn.to_{part}", normed),)
    )
    value = linear(f"{block}.self_attn.to_v", normed)
    places = torch.cartesian_prod(*(torch.arange(side) for side in (frames, rows, columns)))
    angles = torch.cat(
        [
            places[:, axis, None].double() * 10_000 ** -(torch.arange(0, side, 2).double() / side)
            for axis, side in enumerate((24, 20, 20))
        ],
        dim=1,
    )
    turned = torch.polar(torch.ones_like(angles), angles)
    found = []
    for head in (slice(0, 64), slice(64, 128)):
        q, k = (
            torch.view_as_real(
                torch.view_as_complex(part[:, head].double().unflatten(1, (-1, 2)).contiguous()) * turned
            ).flatten(1)
            for part in (query, key)
        )
        found.append(((q @ k.T / 8).softmax(dim=1) @ value[:, head].double()).float())
    tokens = tokens + gate * linear(f"{block}.self_attn.to_out.0", torch.cat(found, dim=1))
    normed, gate = norm(f"{block}.norm2", tokens)
    fed = linear(f"{block}.ffn.2", nn.gelu(linear(f"{block}.ffn.0", normed), approximate="tanh"))
    return linear("proj_out.0", tokens + gate * fed)


def test_the_first_block_gets_the_residual_of_a_plain_computation() -> None:
    network, control = tiny.transformer(in_channels=36), tiny_uni3c.network()
    random = torch.Generator().manual_seed(1)
    seen = torch.randn(1, 36, 3, 4, 6, generator=random)
    guide = torch.randn(1, 16, 3, 4, 6, generator=random)
    text = torch.randn(2, 8, 32, generator=random)
    given: list[torch.Tensor] = []
    times: list[torch.Tensor] = []
    hooks = [
        network.blocks[0].register_forward_hook(lambda _block, _inputs, output: given.append(output)),
        network.blocks[1].register_forward_pre_hook(lambda _block, inputs: given.append(inputs[0])),
        network.condition_embedder.register_forward_hook(lambda _e, _i, output: times.append(output[0])),
    ]
    with torch.no_grad(), ControlResiduals(control, guide, 0.5).added_to(network, seen):
        network(seen.repeat(2, 1, 1, 1, 1), torch.tensor([500, 500]), text)
    for hook in hooks:
        hook.remove()
    added = plain(control.state_dict(), torch.cat([seen[:, :20], guide], dim=1), times[0][:1])
    assert torch.allclose(given[1], given[0] + 0.5 * added, atol=1e-4)
    assert not network.blocks[0]._forward_hooks


def test_flags_of_known_frames_are_zeros_for_text_to_video() -> None:
    control, guide = tiny_uni3c.network(), torch.randn(1, 16, 3, 4, 4)
    joined = ControlResiduals(control, guide, 1.0)._control_input(torch.ones(1, 16, 3, 4, 4))
    assert joined.shape == (1, 36, 3, 4, 4)
    assert joined[:, :16].eq(1).all()
    assert joined[:, 16:20].eq(0).all()
    assert torch.equal(joined[:, 20:], guide)
