from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake import check_paths, confine_output


def test_files_inside_a_root_pass_and_others_do_not(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "inner"
    inside.mkdir()
    outside.mkdir()
    (inside / "link.png").symlink_to(outside / "a.png")
    check_paths(
        {"image_start": str(inside / "a.png"), "loras": [f"{inside}/a.safetensors@0.5", "bare"]}, [inside]
    )
    for values in (
        {"image_start": str(outside / "a.png")},
        {"image_start": str(inside / "link.png")},
        {"image_refs": [str(inside / "a.png"), str(inside / "../x.png")]},
        {"loras": [f"{outside}/a.safetensors@1"]},
        {"loras": ["../a.safetensors"]},
        {"loras": ["style/../../a.safetensors@1"]},
    ):
        with pytest.raises(RequestError) as caught:
            check_paths(values, [inside])
        assert caught.value.field in values


@pytest.mark.parametrize(
    "address",
    ["http://x.org/a", "HTTPS://x", "ftp://x", "file:///a", "file:a", "data:,a", "s3://b/c", "rtsp://x"],
)
def test_addresses_are_refused_by_their_field(address: str, tmp_path: Path) -> None:
    for values in ({"video_guide": address}, {"images": ["/a.png", address]}):
        with pytest.raises(RequestError, match="is an address"):
            check_paths(values, [Path("/")])


def test_outputs_are_put_into_the_folder(tmp_path: Path) -> None:
    assert confine_output({"prompt": "a"}, tmp_path) == {"prompt": "a", "output_dir": str(tmp_path)}
    found = confine_output({"output": "b/./c.mp4", "output_dir": "a/", "name": "{seed}"}, tmp_path)
    assert found["output"] == str(tmp_path / "a/b/c.mp4")
    assert found["output_dir"] == str(tmp_path / "a")
    assert confine_output({"output": "u\u0308.png"}, tmp_path)["output"].endswith("\u00fc.png")


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "away").symlink_to(tmp_path)
    with pytest.raises(RequestError, match="through a link"):
        confine_output({"output": "away/x.png"}, root)


@given(
    st.text(max_size=12)
    | st.lists(st.sampled_from(["..", ".", "a", "~", "/", "\\", "b "]), max_size=6).map("/".join)
)
def test_nothing_leads_out_whatever_it_is(name: str) -> None:
    root = Path("/nonexistent/root")
    try:
        found = confine_output({"output": name, "output_dir": name}, root)
    except RequestError as error:
        assert error.message.isprintable()  # noqa: PT017 - both ends are right
        return
    for field in ("output", "output_dir"):
        path = Path(found[field])
        assert path.is_relative_to(root)
        assert ".." not in path.parts
        assert "\0" not in found[field]
