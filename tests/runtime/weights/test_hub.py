"""Errors of a hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from wangp_cli.errors import ModelError
from wangp_cli.runtime.weights.hub import Hub, files_of, hub_errors


def test_an_offline_hub_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a/b cannot be fetched: offline"), hub_errors("a/b"):
        files_of("a/b", None, tmp_path, Hub(endpoint="http://127.0.0.1:9", offline=True))


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), hub_errors("a/b"):
        raise ZeroDivisionError
