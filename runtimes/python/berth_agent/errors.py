"""Errors of the function: what the host and the log are told about them."""

import errno
import os
import sys
import threading
import traceback

from . import log as log_module
from .frames import send
from .log import FAILED, LOG_ERROR, Stream, log
from .values import encode

TYPE_BYTES_MAX = 256
MESSAGE_BYTES_MAX = 8 << 10
STACK_LINES_MAX = 64
STACK_LINE_BYTES_MAX = 512
ERROR_BYTES_MAX = 64 << 10

format_frames = traceback.format_list


def clean(text, limit):
    """Returns at most limit bytes of UTF-8, without lone surrogates and NUL, which C's JSON parsers refuse."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace")[:limit].decode("utf-8", "ignore")


def causes_of(error):
    """The error itself, its cause, the cause of that."""
    seen = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def is_syntax_error(error, directory):
    """Whether the error is that code of the function does not compile."""
    return isinstance(error, SyntaxError) and (error.filename or "").startswith(directory)


def frames_of(error, directory):
    """The function's frames as (file, line, name), outermost first."""
    frames = []
    position = error.__traceback__
    while position:
        code = position.tb_frame.f_code
        # The frames before the function's first one are those of its callers: the agent, importlib, asyncio.
        if frames or code.co_filename.startswith(directory):
            if not code.co_filename.startswith("<frozen importlib"):
                frames.append((code.co_filename, position.tb_lineno, code.co_name))
        position = position.tb_next
    if is_syntax_error(error, directory):
        frames.append((error.filename, error.lineno or 0, "<module>"))
    return frames


def stack_of(error, directory):
    """Returns a line for each of the function's frames, innermost first, then those of the error's cause."""
    lines = []
    for cause in causes_of(error):
        if cause is not error:
            lines.append(f"Caused by {type(cause).__name__}: {message_of(cause)}")
        lines += [f'File "{file}", line {line}, in {name}' for file, line, name in reversed(frames_of(cause, directory))]
        if len(lines) >= STACK_LINES_MAX:
            break
    return lines


def message_of(error):
    try:
        return str(error)
    except Exception:
        return "(its __str__ failed)"


def advice_on(error):
    """What to do about the error, where that is certain; or nothing."""
    try:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return " (it is neither among the function's files nor in the image of its language: add it there)"
        if isinstance(error, KeyError) and last_code(error) is GET_VARIABLE:
            return " (the environment variable is not set: add it to the function's environment)"
        if any(map(is_unreachable, causes_of(error))) and not has_network():
            return " (the function has no network: set its network to egress)"
    except Exception:  # the function has replaced what was asked
        pass
    return ""


GET_VARIABLE = type(os.environ).__getitem__.__code__


def last_code(error):
    position = error.__traceback__
    while position.tb_next:
        position = position.tb_next
    return position.tb_frame.f_code


def is_unreachable(error):
    if isinstance(error, OSError):
        return type(error).__name__ == "gaierror" or error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return False


def has_network():
    return any(name != "lo" for _, name in sys.modules["socket"].if_nameindex())


def report(error, message, directory, before=b""):
    """Logs an error that ends an invocation, or the load, as Lambda does; its causes follow."""
    parts = []
    for cause in causes_of(error):
        heading = "Caused by" if parts else "[ERROR]"
        message = clean(message_of(cause) if parts else message, MESSAGE_BYTES_MAX)
        parts.append(f"{heading} {type(cause).__name__}: {message}\n")
        frames = frames_of(cause, directory)[-STACK_LINES_MAX:]
        if frames:
            parts.append("Traceback (most recent call last):\n")
            parts += describe_frames(frames)
        if len(parts) >= STACK_LINES_MAX:
            break
    log(LOG_ERROR, clean("".join(parts), ERROR_BYTES_MAX), before)


def watch_threads(directory):
    """Tells of an error that ends a thread which an invocation has left behind. Others are told by Python."""
    by_python = threading.excepthook

    def tell(args):
        if not log_module.is_answered or not log_module.request_id or args.exc_type is SystemExit:
            return by_python(args)
        name = args.thread.name if args.thread else "a thread"
        message = f"{message_of(args.exc_value)} (in {name}, left behind after the answer)"
        report(args.exc_value, message, directory, FAILED if Stream.marks_late else b"")

    threading.excepthook = tell


def describe_frames(frames):
    try:
        return format_frames([(*frame, None) for frame in frames])  # with the line of its source
    except Exception:  # the function has replaced what reads the source
        return [f'  File "{file}", line {line}, in {name}\n' for file, line, name in frames]


def send_error(frame, fields, type_name, message, stack):
    fields["type"] = clean(type_name, TYPE_BYTES_MAX)
    fields["message"] = clean(message, MESSAGE_BYTES_MAX)
    fields["stack"] = [clean(line, STACK_LINE_BYTES_MAX) for line in stack[:STACK_LINES_MAX]]
    payload = encode(fields)
    if len(payload) > ERROR_BYTES_MAX:  # escapes make it up to six times as long
        fields["stack"] = []
        payload = encode(fields)
    send(frame, payload)
