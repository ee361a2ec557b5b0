"""FantasyTalking's speech module and audio attention, against plain computations."""

from __future__ import annotations

import torch
from torch.nn.functional import layer_norm

from tests.support import tiny, tiny_fantasy_talking
from wangp_cli.pipelines.wan.speech_network import attend_to_audio, audio_windows


def test_every_block_attends_to_audio_as_a_plain_computation_does() -> None:
    network, module = (
        tiny.transformer(in_channels=36, image_dim=16, added_kv_proj_dim=48),
        tiny_fantasy_talking.module(),
    )
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(1, 31, tiny_fantasy_talking.FEATURES, generator=generator)
    audio = module(features, 9)
    attention = network.blocks[1].attn2
    video = torch.randn(2, 3 * 4, tiny_fantasy_talking.WIDTH, generator=generator)
    text = torch.randn(2, 17 + 512, tiny_fantasy_talking.WIDTH, generator=generator)
    with torch.no_grad():
        silent = attention(video, text)
        with attend_to_audio(network, audio, 0.5):
            found = attention(video, text)
        query = attention.norm_q(attention.to_q(video))
        weights = module.state_dict()
        tokens = features[0] @ weights["proj.weight"].T
        tokens = layer_norm(tokens, [tokens.shape[1]], weights["norm.weight"], weights["norm.bias"])
        added = torch.zeros_like(query)
        for sample in range(2):
            for token in range(12):
                first, end = audio_windows(31, 9)[token // 4]
                own = tokens[max(first, 0) : end]
                key, value = (own @ weights[f"blocks.1.{part}_proj.weight"].T for part in "kv")
                for head in (slice(0, 24), slice(24, 48)):
                    scores = key[:, head] @ query[sample, token, head] / 24**0.5
                    added[sample, token, head] = scores.softmax(0) @ value[:, head]
        expected = silent + 0.5 * added @ attention.to_out[0].weight.T
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, silent, atol=1e-3)
    assert torch.equal(attention(video, text), silent)


def test_windows_are_those_of_the_reference_code() -> None:
    spans = audio_windows(175, 81)
    assert (len(spans), spans[0], spans[1], spans[-1]) == (21, (-11, 6), (-3, 14), (161, 178))
    assert {end - first for first, end in spans} == {17}
    assert audio_windows(3, 1) == [(-14, 7)]


def test_a_latent_frame_attends_to_the_audio_of_its_own_time() -> None:
    module, features = tiny_fantasy_talking.module(), torch.randn(1, 102, tiny_fantasy_talking.FEATURES)
    other = features.clone()
    other[:, 60] += 1
    keys = [module(given, 33).blocks[0][0] for given in (features, other)]
    moved = [index for index in range(9) if not torch.equal(keys[0][index], keys[1][index])]
    assert moved == [index for index, (first, end) in enumerate(audio_windows(102, 33)) if first <= 60 < end]
    assert len(moved) == 2
