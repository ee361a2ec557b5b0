"""MIME types of the files that tasks write."""

from __future__ import annotations

MIME = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".json": "application/json",
    ".npz": "application/zip",
    ".zip": "application/zip",
}
"""By the suffix in lower case."""
FOLDER = "inode/directory"
"""Of a folder, as the shared MIME database of desktops names it."""
