"""Keys that no table knows."""

from __future__ import annotations

from wangp_cli.legacy.unknown_keys import MOST_NAMES, is_misspelt, unknown_keys_notice

KNOWN = ["video_length", "resolution", "prompt"]


def test_a_key_is_misspelt_where_it_is_almost_a_known_one() -> None:
    assert is_misspelt("video_lenght", KNOWN)
    assert is_misspelt("resolutions", KNOWN)
    assert not any(
        is_misspelt(key, KNOWN) for key in ("video_length", "video", "new_slider", "_video_length", "")
    )


def test_one_notice_names_all_keys_with_similar_ones_and_without_control_characters() -> None:
    notice = unknown_keys_notice(["video_lenght", "prompt", "a\x1b[31m"], KNOWN)
    assert notice == (
        "not used, there are no such keys here: video_lenght (did you mean video_length?), "
        "prompt, 'a\\x1b[31m'"
    )
    many = unknown_keys_notice([f"key_{index}" for index in range(MOST_NAMES + 3)], KNOWN)
    assert many.endswith(" and 3 more")
