"""What several of these tests need."""

import pathlib
import tempfile

import pytest


@pytest.fixture
def short_path():
    """A directory for a stack or a prefix: the paths of unix sockets below it are limited, and pytest's own is too long for that."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = pathlib.Path(directory)
        path.chmod(0o755)
        yield path
