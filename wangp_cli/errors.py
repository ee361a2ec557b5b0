"""The error classes: each is an error kind with its exit code."""

from __future__ import annotations

from typing import ClassVar

LONGEST = 1000
"""Characters of a message; messages quote input, which may be large."""


class WangpError(Exception):
    """A failure with one clear message.

    Args:
        message: lower case, the value seen, then the value wanted.
        hint: what to do about it: a command or a flag.
    """

    kind: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        if len(message) > LONGEST:
            message = f"{message[: LONGEST - 300]} ... {message[-295:]}"
        super().__init__(message)
        self.message = message
        self.hint = hint


class RequestError(WangpError):
    """The request is wrong; the same request can never succeed."""

    kind = "request"
    exit_code = 2

    def __init__(self, field: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{field}: {message}", hint=hint)
        self.field = field

    def named(self, field: str) -> RequestError:
        """The same error under another field name, such as the key that the value was given by."""
        return RequestError(field, self.message.removeprefix(f"{self.field}: "), hint=self.hint)


class MediaError(WangpError):
    """A media file cannot be read."""

    kind = "media"
    exit_code = 2


class DamagedMediaError(WangpError):
    """An input breaks off; what is intact of it has been processed."""

    kind = "damaged"


class ModelError(WangpError):
    """A model or its weights are missing or broken."""

    kind = "model"
    exit_code = 3


class GenerationError(WangpError):
    """A model generated no usable result, such as values that are not finite."""

    kind = "generation"


class TimeoutExpired(WangpError):  # noqa: N818 - a limit the user set, not a fault
    """The task exceeded its time limit."""

    kind = "timeout"


class ResourceError(WangpError):
    """Memory, device or disk are insufficient."""

    kind = "resources"
    exit_code = 4


class OutOfMemoryError(ResourceError):
    """The device or the machine is out of memory."""

    kind = "oom"
    retryable = True


class DiskError(ResourceError):
    """Reading or writing failed for a reason that may be temporary, as on a network disk."""

    kind = "disk"
    retryable = True


class FetchError(ResourceError):
    """A file could not be downloaded from its URL."""

    kind = "fetch"


class NoSpaceError(ResourceError):
    """The disk is full or the folder cannot be written."""

    kind = "no_space"


class ConflictError(WangpError):
    """Something else exists under this name."""

    kind = "conflict"
    exit_code = 5


class Cancelled(WangpError):  # noqa: N818 - a request to stop, not a fault
    """The user cancelled."""

    kind = "cancelled"
    exit_code = 130


def nearest(word: str, known: list[str]) -> str:
    """`did you mean a, b?` for the closest of `known`, or an empty string."""
    from difflib import get_close_matches

    matches = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {', '.join(matches)}?" if matches else ""


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
