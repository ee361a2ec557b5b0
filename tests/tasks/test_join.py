"""The fields of a join."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.tasks.join import Join
from wangp_cli.tasks.shape import Shape

CLIPS = [Shape(832, 480, Fraction(16)), Shape(480, 832, Fraction(24))]


def test_clips_of_other_sizes_need_a_way_to_fit_them() -> None:
    task = Join.model_validate({"model": "m", "clips": ["a.mp4", "b.mp4"]})
    assert task.check_shapes({"clips": CLIPS[:1] * 2}, sized=False) == []
    with pytest.raises(RequestError, match="clip 1 is 480x832, the first is 832x480"):
        task.check_shapes({"clips": CLIPS}, sized=True)
    fitted = task.replace(fit="pad").check_shapes({"clips": CLIPS}, sized=False)
    assert ["padded" in fitted[0].text, "24 fps" in fitted[1].text] == [True, True]
