"""Berth's Python agent: one function, one invocation at a time, over descriptor 3 (../protocol.md).

The function shares this interpreter. So the agent imports little (a module imported here would hide one of the
function's of the same name), and takes what it needs before the function's code can replace it. logging is slow to import,
so it is imported before the function is known, and set_path() lets go of what would hide modules of the function.
"""

import errno
import io
import json
import os
import re
import sys
import time

imported = set(sys.modules)
import logging  # noqa: E402
import traceback  # noqa: E402

GIVES_WAY = set(sys.modules) - imported  # the names of all modules that this has brought

HELLO, INIT, READY, INIT_ERROR, INVOKE, RESULT, ERROR = range(1, 8)

CONTROL_FD = 3
HEADER_BYTES = 5
READ_BYTES = 64 << 10
FRAME_BYTES_MAX = 64 << 20  # what the host sends; far above any limit it is configured with

TYPE_BYTES_MAX = 256
MESSAGE_BYTES_MAX = 8 << 10
STACK_LINES_MAX = 64
STACK_LINE_BYTES_MAX = 512
FILES_MAX = 10  # of the function's, in the message that the one with the handler is not there
ERROR_BYTES_MAX = 64 << 10

NESTING_MAX = 10_000  # levels of arrays and objects in a result
PLACE_CHARS_MAX = 200  # of the place in a result that cannot be written

SWITCH = b"\xff\0berth:switch\0\xff"  # goes to both streams when the function turns from one to the other
LEVEL = b"\xff\0berth:level%d\0\xff"  # begins an entry: 1 trace, 2 debug, 3 info, 4 warning, 5 error, 6 critical; 0 ends it
LOG_INFO, LOG_ERROR = 3, 5  # the levels of what is printed to stdout and to stderr

TASK_ROOT = "/var/task"  # where Lambda has the function's files
LAYERS = "/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2], "/opt/python"

CO_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect

readv, write, leave = os.readv, os.write, os._exit
environ = os.environ
monotonic = time.monotonic
is_stream_id = re.compile("[0-9a-f]{32}").fullmatch
format_frames = traceback.format_list

# readv instead of read: in gVisor a system call whose number is loaded with mov costs half as much as number 0 (read), which compilers
# load with xor.
incoming = bytearray(READ_BYTES)
incoming_parts = [incoming]

control = CONTROL_FD  # -1 in a child the function forked
unread = b""  # what came after the last frame taken
loop = None  # the asyncio loop of an async handler
request_id = ""  # what the lines of logging name: Lambda's request is our invocation


class ProtocolError(Exception):
    """The host broke the protocol, which can only be reported in the log."""


class HandlerError(Exception):
    """The handler setting does not name a function."""


class Identity:
    """The caller, for functions that are called through Amazon Cognito: nobody."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """A handler's second argument: one object per invocation; values that are the same for all invocations are in the class."""

    function_name = None
    function_version = None
    memory_limit_in_mb = None
    invoked_function_arn = None
    log_group_name = None
    log_stream_name = None
    identity = Identity()
    client_context = None
    tenant_id = None

    def __init__(self, meta, id_, parameters, deadline):
        self.aws_request_id = id_
        self.request_id = meta["request_id"]
        self.invocation_id = meta.get("invocation_id")
        self.traceparent = meta.get("traceparent")
        self.parameters = parameters
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - monotonic()) * 1000))

    def log(self, message):
        log(LOG_INFO, str(message))


# Logs


class Stream(io.FileIO):
    """stdout or stderr. The host reads each separately; marks tell it the order between them."""

    latest = None  # the one printed to last
    sockets = []  # of both, whatever becomes of descriptors 1 and 2
    marks_levels = False  # whether the host knows the marks of levels

    def write(self, data):
        if Stream.latest is not self:
            self.turn()
        return write_file(self, data)

    def turn(self):
        if Stream.latest:
            for socket in Stream.sockets:
                try:
                    write(socket, SWITCH)
                except OSError:  # the host has closed, or the function
                    pass
        Stream.latest = self


write_file = io.FileIO.write


def open_stream(old):
    """Flushes each line, so that output before a timeout or an out-of-memory kill is in the log."""
    raw = Stream(old.fileno(), "w", closefd=False)
    raw.name = old.name
    Stream.sockets.append(os.dup(old.fileno()))
    return io.TextIOWrapper(io.BufferedWriter(raw), old.encoding, "backslashreplace", line_buffering=True)


STDOUT = sys.stdout = sys.__stdout__ = open_stream(sys.stdout)
STDERR = sys.stderr = sys.__stderr__ = open_stream(sys.stderr)
STREAMS = STDOUT.buffer.raw, STDERR.buffer.raw


def log(level, text):
    """Writes one entry, after what was printed before, to the log and not to what the function has put in its place."""
    flush(STDOUT, STDERR)
    data = text.encode("utf-8", "backslashreplace")
    if not data.endswith(b"\n"):
        data += b"\n"
    if Stream.marks_levels and (level not in (LOG_INFO, LOG_ERROR) or data.count(b"\n") > 1):
        data = b"%b%b%b" % (LEVEL % level, data, LEVEL % 0)
    number = 1 if level >= LOG_ERROR else 0
    if Stream.latest is not STREAMS[number]:
        STREAMS[number].turn()
    try:
        write_all(Stream.sockets[number], data)
    except OSError:  # the host has closed, or the function
        pass


def flush(*streams):
    for stream in streams:
        try:
            stream.flush()
        except Exception:  # closed, or replaced by anything at all
            pass


def flush_all():
    """Flushes the output, which must be in the log sockets before the frame that ends the invocation is sent."""
    out, error = getattr(sys, "stdout", None), getattr(sys, "stderr", None)
    if out is not STDOUT or error is not STDERR:
        flush(out, error)
    flush(STDOUT, STDERR)


class LambdaLoggerHandler(logging.Handler):
    """What the root logger has on Lambda as well. A record is one entry of its level."""

    def emit(self, record):
        try:
            log(min(max(record.levelno // 10, 0), 5) + 1, self.format(record))
        except Exception:  # the record's arguments do not fit its message, for example
            self.handleError(record)


def name_request(record):
    record.aws_request_id = request_id
    record.tenant_id = None
    return True


def open_logging():
    logging.Formatter.converter = time.gmtime
    line = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
    handler = LambdaLoggerHandler()
    handler.setFormatter(logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(name_request)
    logging.getLogger().addHandler(handler)


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


GET_VARIABLE = type(environ).__getitem__.__code__


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


def report(error, message, directory):
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
    log(LOG_ERROR, clean("".join(parts), ERROR_BYTES_MAX))


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


# The function


def set_environment(settings, directory):
    """Gives the function what Lambda's have: in Context, and in environment variables, which its own ones replace."""
    function, handler = settings["function"], settings["handler"]
    region = function.get("region", "us-east-1")
    account = function.get("account_id", "000000000000")
    sandbox = function.get("sandbox_id", "")
    if not is_stream_id(sandbox):
        sandbox = os.urandom(16).hex()
    name, version = function["name"], str(function["version"])
    Context.function_name = name
    Context.function_version = version
    Context.memory_limit_in_mb = str(settings["limits"]["memory_limit_mb"])
    Context.invoked_function_arn = f"arn:aws:lambda:{region}:{account}:function:{name}:{version}"
    Context.log_group_name = f"/aws/lambda/{name}"
    Context.log_stream_name = time.strftime(f"%Y/%m/%d/[{version}]{sandbox}", time.gmtime())
    environ.update(
        {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": Context.memory_limit_in_mb,
            "AWS_LAMBDA_LOG_GROUP_NAME": Context.log_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": Context.log_stream_name,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python%d.%d" % sys.version_info[:2],
            "LAMBDA_TASK_ROOT": TASK_ROOT if is_same(TASK_ROOT, directory) else directory,
            "LAMBDA_RUNTIME_DIR": os.path.dirname(os.path.abspath(__file__)),
            "_HANDLER": handler,
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
        }
        | settings["environment"]
    )
    time.tzset()


def is_same(path, directory):
    try:
        return os.path.samefile(path, directory)
    except OSError:  # there is no such path
        return False


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
            raise HandlerError(f"handler '{name}': there is no module '{module_name}'; the function's files: {files}") from None
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
    Stream.marks_levels = settings.get("log_levels", False)
    try:
        set_environment(settings, directory)
        os.chdir(directory)
        set_path(directory)
        handler = load(settings["handler"], directory)
        if getattr(getattr(handler, "__code__", None), "co_flags", 0) & CO_COROUTINE:
            event_loop()  # here, not at the cost of the first invocation
    except SystemExit:
        raise
    except BaseException as error:
        fields, message = {"kind": "exception"}, message_of(error) + advice_on(error)
        if isinstance(error, HandlerError):
            fields["kind"] = "handler"
        elif is_syntax_error(error, directory):
            fields.update(kind="syntax", line=error.lineno or 0)
            message = error.msg
        flush_all()
        report(error, message, directory)
        send_error(INIT_ERROR, fields, type(error).__name__, message, stack_of(error, directory))
        leave(1)
    flush_all()
    send(READY, b"{}")
    return handler, settings["limits"]["response_bytes"]


def set_trace(traceparent):
    """Names the invocation's trace as AWS X-Ray does."""
    if traceparent and len(traceparent) >= 55:
        sampled = 1 if traceparent[54] in "13579bdf" else 0
        environ["_X_AMZN_TRACE_ID"] = f"Root=1-{traceparent[3:11]}-{traceparent[11:35]};Parent={traceparent[36:52]};Sampled={sampled}"
    elif "_X_AMZN_TRACE_ID" in environ:
        del environ["_X_AMZN_TRACE_ID"]


def invoke(handler, payload, output_bytes_max, directory):
    global request_id
    meta, _, body = payload.decode().partition("\n")
    meta = decode(meta)
    # An older host names no invocation, and recognises the answer by the request.
    name = "invocation_id" if "invocation_id" in meta else "request_id"
    id_ = request_id = meta[name]
    deadline = monotonic() + meta["remaining_ms"] / 1000
    kind = "function"
    try:
        set_trace(meta.get("traceparent"))
        request = decode(body) if body else {}
        del body
        result = handler(request.get("input"), Context(meta, id_, request.get("parameters", {}), deadline))
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
        else:
            message += advice_on(error)
        flush_all()
        report(error, message, directory)
        fields = {name: id_, "kind": kind}
        send_error(ERROR, fields, type(error).__name__, message, stack_of(error, directory))
        return
    flush_all()
    if len(output) > output_bytes_max:
        message = f"the output has {len(output)} bytes, the limit is {output_bytes_max}"
        log(LOG_ERROR, f"[ERROR] ResponseTooLarge: {message}")
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
    directory = environ.get("BERTH_FUNCTION_DIR", "/berth/function")
    os.set_inheritable(CONTROL_FD, False)
    os.register_at_fork(after_in_child=disown)
    open_logging()

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
            flush_all()
            leave(0)  # not sys.exit(), which would wait for threads the function left behind
        if kind != INVOKE:
            raise ProtocolError(f"frame of type {kind}, not INVOKE")
        invoke(handler, payload, output_bytes_max, directory)


if __name__ == "__main__":
    main()
