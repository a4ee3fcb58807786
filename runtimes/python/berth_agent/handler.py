"""The function's code: where its modules are looked for, and its handler."""

import os
import sys

from . import GIVES_WAY

FILES_MAX = 10  # of the function's, in the message that the one with the handler is not there
LAYERS = "/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2], "/opt/python"

environ = os.environ

loop = None  # the asyncio loop of an async handler


class HandlerError(Exception):
    """The handler setting does not name a function."""


def set_path(directory):
    """Lets the function import its own modules, then those of layers, then the language's."""
    python_path = [path for path in environ.get("PYTHONPATH", "").split(":") if path]
    sys.path[:0] = [directory, *(path for path in LAYERS if os.path.isdir(path)), *python_path]
    files = os.listdir(directory)
    for name in GIVES_WAY:
        if f"{name}.py" in files or (name in files and os.path.exists(f"{directory}/{name}/__init__.py")):
            del sys.modules[name]


def load(name, directory):
    """The function that a handler like "main.handler", "pkg/mod.handler" or "pkg.mod.handler" names."""
    parts = name.replace("/", ".").split(".")
    if len(parts) < 2 or not all(parts):
        raise HandlerError(f"handler '{name}' is not of the form 'module.function'")
    module_name, attribute = ".".join(parts[:-1]), parts[-1]
    try:
        __import__(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            files = ", ".join(sorted(os.listdir(directory))[:FILES_MAX])
            raise HandlerError(f"handler '{name}': there is no module '{module_name}'; name one of the function's files: {files}") from None
        raise
    module = sys.modules[module_name]
    handler = getattr(module, attribute, None)
    if handler is None:
        raise HandlerError(f"handler '{name}': {getattr(module, '__file__', module_name)} has no '{attribute}'")
    if not callable(handler):
        raise HandlerError(f"handler '{name}': '{attribute}' is not callable")
    return handler


def complete(awaitable):
    return event_loop().run_until_complete(awaitable)


def event_loop():
    global loop
    if loop is None or loop.is_closed():
        import asyncio  # slow to import, so only for those who use it

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop
