"""Settings of this user and machine: folders, device, defaults of tasks; read, validated and saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wangp_cli.catalogue import read_yaml
from wangp_cli.errors import ModelError, RequestError, nearest
from wangp_cli.files.atomic import write_atomic
from wangp_cli.tasks.fields import Flag
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.task import METADATA_MODE, NAME, OUTPUT_DIR, Encoding, MetadataMode, Output
from wangp_cli.validation import fault_message
from wangp_cli.value_layers import Origin

ENVIRONMENT_PREFIX = "WANGP_"


class Folders(BaseModel):
    """Folders of the user's configuration, data and state."""

    model_config = ConfigDict(frozen=True, defer_build=True)
    config: Path
    data: Path
    state: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.config / "settings.yaml"


def _split_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(Encoding, Runtime):
    """Values for every task, below those of presets, settings files and flags; and values of the program."""

    model: Annotated[str | None, Field(description="Model of tasks that name none.")] = None
    output_dir: Annotated[Path, OUTPUT_DIR] = Path("outputs")
    models_dir: Annotated[Path | None, Field(description="Folder for fetched weights.")] = None
    hub_endpoint: Annotated[str | None, Field(description="URL of a mirror of the model hub.")] = None
    loras_dir: Annotated[Path | None, Field(description="Folder where LoRAs are looked up by name.")] = None
    allow_url: Annotated[
        tuple[str, ...],
        BeforeValidator(_split_commas),
        Field(description="Hosts whose files task files may name; in the variable between commas."),
    ] = ()
    work_dir: Annotated[
        Path | None,
        Field(description="Folder for offloaded weights that memory cannot hold."),
    ] = None
    metadata_mode: Annotated[MetadataMode, METADATA_MODE] = "embed"
    name: Annotated[str | None, NAME] = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level that is logged.")
    ] = "INFO"

    @classmethod
    def describe(cls, name: str) -> str:
        """The description of a setting."""
        field = cls.model_fields[name]
        return field.description or next(mark.help for mark in field.metadata if isinstance(mark, Flag))

    def task_values(self) -> dict[str, Any]:
        """Values of the settings that are also fields of tasks, by field name."""
        fields = {*Output.model_fields, *Encoding.model_fields, *Runtime.model_fields, "model"}
        return {name: value for name, value in self if name in fields}


def load(folders: Folders, environment: Mapping[str, str]) -> tuple[Settings, dict[str, Origin]]:
    """Settings and the origin of each that is not a default: the file, or a WANGP_* variable.

    Raises:
        RequestError: a key or a value is wrong.
    """
    values: dict[str, Any] = {}
    origin: dict[str, Origin] = {}
    if folders.settings.is_file():
        try:
            data = read_yaml(folders.settings)
        except (ModelError, OSError, UnicodeDecodeError) as error:
            raise RequestError("settings", str(error)) from None
        if data is not None and not isinstance(data, dict):
            raise RequestError("settings", f"{folders.settings} holds no mapping")
        for name, value in (data or {}).items():
            values[str(name)], origin[str(name)] = value, _file_origin(folders)
    for name in Settings.model_fields:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if environment.get(variable):
            values[name] = environment[variable]
            origin[name] = Origin("environment", f"environment {variable}")
    # Defaults need no validation, and building the validator takes longer than the rest of this function.
    settings = _validate(values, origin, folders) if values else Settings.model_construct()
    return settings, origin


def _file_origin(folders: Folders) -> Origin:
    """The origin of a value in the settings file."""
    return Origin("settings", f"settings {folders.settings}")


def _validate(values: dict[str, Any], origin: Mapping[str, Origin], folders: Folders) -> Settings:
    for name in values:
        check_name(name, f" ({_file_origin(folders)})")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise RequestError(name, f"{fault_message(first)} ({origin[name]})") from None


def check_name(name: str, source: str = "") -> None:
    """Refuse a name that no setting has; `source` says where it was found.

    Raises:
        RequestError: the hint has the nearest names.
    """
    if name not in Settings.model_fields:
        hint = nearest(name, list(Settings.model_fields)) or "`wangp settings show` lists them"
        raise RequestError("settings", f"there is no setting {name!r}{source}", hint=hint)


def save(folders: Folders, values: Mapping[str, Any]) -> Path:
    """Merge values into the settings file and return its path.

    Raises:
        RequestError: a key or a value is wrong, or those in the file are.
    """
    return _write(folders, {**_in_file(folders), **values})


def remove(folders: Folders, name: str) -> Path:
    """Take a value out of the settings file and return its path.

    Raises:
        RequestError: there is no such setting, or the file is wrong.
    """
    check_name(name)
    return _write(folders, {key: value for key, value in _in_file(folders).items() if key != name})


def _in_file(folders: Folders) -> dict[str, Any]:
    data = read_yaml(folders.settings) if folders.settings.is_file() else None
    return dict(data or {})


def _write(folders: Folders, values: Mapping[str, Any]) -> Path:
    """Validate values and write them, as numbers and lists where they are such."""
    checked = _validate(dict(values), dict.fromkeys(values, _file_origin(folders)), folders)
    typed = checked.model_dump(mode="json", include=set(values))
    write_atomic(folders.settings, yaml.safe_dump(typed, sort_keys=True))
    return folders.settings
