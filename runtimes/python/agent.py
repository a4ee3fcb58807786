"""Berth's Python agent: one function, one invocation at a time, over descriptor 3 (../protocol.md).

The function shares this interpreter. So the agent imports little (a module imported here would hide one of the
function's of the same name), and takes what it needs before the function's code can replace it.
"""

import io
import json
import os
import re
import sys
import time

HELLO, INIT, READY, INIT_ERROR, INVOKE, RESULT, ERROR = range(1, 8)

CONTROL_FD = 3
HEADER_BYTES = 5
READ_BYTES = 64 << 10
FRAME_BYTES_MAX = 64 << 20  # what the host sends; far above any limit it is configured with

TYPE_BYTES_MAX = 256
MESSAGE_BYTES_MAX = 8 << 10
STACK_LINES_MAX = 64
STACK_LINE_BYTES_MAX = 512
ERROR_BYTES_MAX = 64 << 10

NESTING_MAX = 10_000  # levels of arrays and objects in a result
PLACE_CHARS_MAX = 200  # of the place in a result that cannot be written

SWITCH = b"\xff\0berth:switch\0\xff"  # goes to both streams when the function turns from one to the other

CO_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect

readv, write, leave = os.readv, os.write, os._exit
monotonic = time.monotonic

# readv instead of read: in gVisor a system call whose number is loaded with mov costs half as much as number 0 (read), which compilers
# load with xor.
incoming = bytearray(READ_BYTES)
incoming_parts = [incoming]

control = CONTROL_FD  # -1 in a child the function forked
unread = b""  # what came after the last frame taken
loop = None  # the asyncio loop of an async handler


class ProtocolError(Exception):
    """The host broke the protocol, which can only be reported in the log."""


class HandlerError(Exception):
    """The handler setting does not name a function."""


class Context:
    """A handler's second argument: one object per invocation; values that are the same for all invocations are in the class."""

    function_name = None
    function_version = None
    memory_limit_in_mb = None

    def __init__(self, meta, parameters, deadline):
        self.aws_request_id = self.request_id = meta["request_id"]
        self.invocation_id = meta.get("invocation_id")
        self.traceparent = meta.get("traceparent")
        self.parameters = parameters
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - monotonic()) * 1000))


# Logs


class Stream(io.FileIO):
    """stdout or stderr. The host reads each separately; marks tell it the order between them."""

    latest = None  # the one printed to last
    sockets = []  # of both, whatever becomes of descriptors 1 and 2

    def write(self, data):
        if Stream.latest is not self:
            if Stream.latest:
                switch()
            Stream.latest = self
        return write_file(self, data)


write_file = io.FileIO.write


def switch():
    for socket in Stream.sockets:
        try:
            write(socket, SWITCH)
        except OSError:  # the host has closed, or the function
            pass


def open_stream(old):
    """Flushes each line, so that output before a timeout or an out-of-memory kill is in the log."""
    raw = Stream(old.fileno(), "w", closefd=False)
    raw.name = old.name
    Stream.sockets.append(os.dup(old.fileno()))
    return io.TextIOWrapper(io.BufferedWriter(raw), old.encoding, "backslashreplace", line_buffering=True)


STDOUT = sys.stdout = sys.__stdout__ = open_stream(sys.stdout)
STDERR = sys.stderr = sys.__stderr__ = open_stream(sys.stderr)


# Frames


def receive():
    """Returns the next frame as (type, payload); (None, b"") when the host has closed."""
    global unread
    data, unread = unread, b""
    while len(data) < HEADER_BYTES:
        got = readv(CONTROL_FD, incoming_parts)
        if not got:
            return None, b""
        data += incoming[:got]
    end = HEADER_BYTES + int.from_bytes(data[:4], "big")
    if end > FRAME_BYTES_MAX:
        raise ProtocolError(f"frame of {end} bytes")
    if len(data) < end:
        data = receive_rest(data, end)
        if data is None:
            return None, b""
    unread = data[end:]
    return data[4], data[HEADER_BYTES:end]


def receive_rest(start, size):
    data = bytearray(size)
    at = len(start)
    data[:at] = start
    with memoryview(data) as view:
        while at < size:
            got = readv(CONTROL_FD, [view[at:]])
            if got == 0:
                return None
            at += got
    return data


def send(kind, payload, output=b""):
    try:
        write_all(control, b"%b%c%b%b" % ((len(payload) + len(output)).to_bytes(4, "big"), kind, payload, output))
    except OSError:  # the host has closed, or this is a child the function forked
        leave(0)


def write_all(fd, data):
    sent = write(fd, data)
    while sent < len(data):
        sent += write(fd, memoryview(data)[sent:])


def flush():
    """Flushes the output, which must be in the log sockets before the frame that ends the invocation is sent."""
    for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None), STDOUT, STDERR):
        try:
            stream.flush()
        except Exception:  # closed, or replaced by anything at all
            pass


# JSON


def substitute(value):
    """What json is to write for a value that it does not know: of a Decimal, a text that encode() replaces by its digits."""
    decimal = getattr(sys.modules.get("decimal"), "Decimal", ())
    if not isinstance(value, decimal):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    if not value.is_finite():
        raise ValueError(f"Out of range decimal values are not JSON compliant: {value}")
    return f"{DIGITS}{decimal.__str__(value)}{DIGITS}"


DIGITS = "\ue000" + os.urandom(16).hex()  # in no text of any function; its first character is quickly not found in most texts
decode_flat = json.JSONDecoder().decode
encode_flat = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=substitute).encode


def encode(value):
    """Returns the value as JSON in UTF-8."""
    try:
        text = encode_flat(value)
    except (TypeError, ValueError, RecursionError):
        text = None
    if text is None:
        text = encode_deep(value)
    if DIGITS in text:
        text = text.replace(f'"{DIGITS}', "").replace(f'{DIGITS}"', "")
    return text.encode("utf-8", "backslashreplace")  # which writes a lone surrogate as JSON does: \ud83d


def encode_deep(value):
    """encode_flat() without recursion. It is slower, and an error says where in the value it is."""
    parts = ["["]
    path = [0]  # the names of the members that are being written, outermost first
    levels = [([value], iter([(0, value)]))]  # the containers that they are in, and the members that follow
    around = set()  # the ids of these containers
    try:
        while levels:
            container, members = levels[-1]
            for name, member in members:
                path[-1] = name
                if parts[-1] not in ("[", "{"):
                    parts.append(",")
                if isinstance(container, dict):
                    parts.append(encode_flat({name: 0})[1:-2])
                if not isinstance(member, (dict, list, tuple)):
                    parts.append(encode_flat(member))
                    continue
                if id(member) in around:
                    raise ValueError("Circular reference detected")
                if len(levels) > NESTING_MAX:
                    raise ValueError(f"More than {NESTING_MAX} levels of nesting")
                around.add(id(member))
                path.append(None)
                levels.append((member, iter(member.items() if isinstance(member, dict) else enumerate(member))))
                parts.append("{" if isinstance(member, dict) else "[")
                break
            else:
                parts.append("}" if isinstance(container, dict) else "]")
                around.discard(id(container))
                path.pop()
                levels.pop()
    except (TypeError, ValueError) as error:
        place = "".join(f"[{name!r}]" for name in path[1:])
        error.args = (f"{error}, at result{place[:PLACE_CHARS_MAX]}",)
        raise
    return "".join(parts)[1:-1]


def decode(text):
    try:
        return decode_flat(text)
    except RecursionError:
        return decode_deep(text)


def decode_deep(text):
    """decode_flat() without recursion. It is slower, and relies on the host having checked the text."""
    outer = []  # the arrays and objects around the innermost one, as far as they have been read
    inner = []  # the members of the innermost one, for an object with their names
    for token in re.findall(r'[][{}]|"(?:[^"\\]++|\\.)*+"|[^][{}",:\s]+', text):
        if token in "[{":
            outer.append(inner)
            inner = []
        elif token in "]}":
            value = inner if token == "]" else dict(zip(inner[::2], inner[1::2]))
            inner = outer.pop()
            inner.append(value)
        else:
            inner.append(decode_flat(token))
    return inner[0]


# Errors


def clean(text, limit):
    """Returns at most limit bytes of UTF-8, without lone surrogates and NUL, which C's JSON parsers refuse."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace")[:limit].decode("utf-8", "ignore")


def stack_of(error, directory):
    """Returns a line for each of the function's frames, innermost first, then those of the error's cause."""
    lines, seen = [], set()
    while True:
        seen.add(id(error))
        frames = []
        traceback = error.__traceback__
        while traceback:
            code = traceback.tb_frame.f_code
            # The frames before the function's first one are those of its callers: the agent, importlib, asyncio.
            if frames or code.co_filename.startswith(directory):
                if not code.co_filename.startswith("<frozen importlib"):
                    frames.append(f'File "{code.co_filename}", line {traceback.tb_lineno}, in {code.co_name}')
            traceback = traceback.tb_next
        lines += reversed(frames)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is None or id(error) in seen or len(lines) >= STACK_LINES_MAX:
            return lines
        lines.append(f"Caused by {type(error).__name__}: {message_of(error)}")


def message_of(error):
    try:
        return str(error)
    except Exception:
        return "(its __str__ failed)"


def send_error(frame, fields, type_name, message, stack):
    fields["type"] = clean(type_name, TYPE_BYTES_MAX)
    fields["message"] = clean(message, MESSAGE_BYTES_MAX)
    fields["stack"] = [clean(line, STACK_LINE_BYTES_MAX) for line in stack[:STACK_LINES_MAX]]
    payload = encode(fields)
    if len(payload) > ERROR_BYTES_MAX:  # escapes make it up to six times as long
        fields["stack"] = []
        payload = encode(fields)
    send(frame, payload)


# The function


def load(name, directory):
    """The function that a handler like "main.handler", "pkg/mod.handler" or "pkg.mod.handler" names."""
    parts = name.replace("/", ".").split(".")
    if len(parts) < 2 or not all(parts):
        raise HandlerError(f"handler '{name}' is not of the form 'module.function'")
    module_name, attribute = ".".join(parts[:-1]), parts[-1]
    sys.path.insert(0, directory)
    try:
        __import__(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise HandlerError(f"handler '{name}': there is no module '{module_name}'") from None
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


def init(settings, directory):
    """Loads the function and answers READY, or answers INIT_ERROR and leaves."""
    try:
        os.environ.update(settings["environment"])
        time.tzset()
        os.chdir(directory)
        handler = load(settings["handler"], directory)
        if getattr(getattr(handler, "__code__", None), "co_flags", 0) & CO_COROUTINE:
            event_loop()  # here, not at the cost of the first invocation
    except SystemExit:
        raise
    except BaseException as error:
        fields, message, stack = {"kind": "exception"}, message_of(error), stack_of(error, directory)
        if isinstance(error, HandlerError):
            fields["kind"] = "handler"
        elif isinstance(error, SyntaxError) and (error.filename or "").startswith(directory):
            fields.update(kind="syntax", line=error.lineno or 0)
            message = error.msg
            stack.insert(0, f'File "{error.filename}", line {error.lineno}')
        flush()
        send_error(INIT_ERROR, fields, type(error).__name__, message, stack)
        leave(1)
    function, limits = settings["function"], settings["limits"]
    Context.function_name = function["name"]
    Context.function_version = str(function["version"])
    Context.memory_limit_in_mb = limits["memory_limit_mb"]
    flush()
    send(READY, b"{}")
    return handler, limits["response_bytes"]


def invoke(handler, payload, output_bytes_max, directory):
    meta, _, body = payload.decode().partition("\n")
    meta = decode(meta)
    # An older host names no invocation, and recognises the answer by the request.
    name = "invocation_id" if "invocation_id" in meta else "request_id"
    id_ = meta[name]
    deadline = monotonic() + meta["remaining_ms"] / 1000
    kind = "function"
    try:
        request = decode(body) if body else {}
        del body
        result = handler(request.get("input"), Context(meta, request.get("parameters", {}), deadline))
        if hasattr(type(result), "__await__"):
            result = complete(result)
        kind = "invalid_output"
        output = encode(result)
    except SystemExit:  # the function wants the process to end; the host sees that it did
        raise
    except BaseException as error:
        message = message_of(error)
        if kind == "invalid_output":
            message = f"what the handler returned cannot be written as JSON: {message}"
        flush()
        fields = {name: id_, "kind": kind}
        send_error(ERROR, fields, type(error).__name__, message, stack_of(error, directory))
        return
    flush()
    if len(output) > output_bytes_max:
        message = f"the output has {len(output)} bytes, the limit is {output_bytes_max}"
        fields = {name: id_, "kind": "response_too_large", "size_bytes": len(output)}
        send_error(ERROR, fields, "ResponseTooLarge", message, [])
        return
    send(RESULT, f'{{"{name}":"{id_}"}}\n'.encode(), output)


def disown():
    """Closes the control socket in a child that the function forked: only the agent may use it, and only its end may close it."""
    global control
    if control != -1:
        os.close(control)
        control = -1


def main():
    directory = os.environ.get("BERTH_FUNCTION_DIR", "/berth/function")
    os.set_inheritable(CONTROL_FD, False)
    os.register_at_fork(after_in_child=disown)

    version = "%d.%d.%d" % sys.version_info[:3]
    send(HELLO, encode({"protocol": 1, "language": "python", "version": version}))
    kind, payload = receive()
    if kind is None:
        leave(0)
    if kind != INIT:
        raise ProtocolError(f"frame of type {kind}, not INIT")
    handler, output_bytes_max = init(decode(payload.decode()), directory)

    while True:
        kind, payload = receive()
        if kind is None:
            flush()
            leave(0)  # not sys.exit(), which would wait for threads the function left behind
        if kind != INVOKE:
            raise ProtocolError(f"frame of type {kind}, not INVOKE")
        invoke(handler, payload, output_bytes_max, directory)


if __name__ == "__main__":
    main()
