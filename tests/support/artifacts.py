"""Events of artifacts."""

from __future__ import annotations

from wangp_cli.runtime.events.types import ArtifactCreated


def artifact(path: str = "/made/a b.mp4") -> ArtifactCreated:
    """The event of a video at this path."""
    return ArtifactCreated.model_validate({"role": "video", "path": path, "sha256": "0" * 64, "bytes": 1})
