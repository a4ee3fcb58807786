"""Berth's Python agent: one function, one invocation at a time, over descriptor 3 (../protocol.md).

The function shares this interpreter, so the rest of the agent is a package with a name of its own, which is loaded before the
function's modules can be (berth_agent/__init__.py).
"""

import os
import sys
import time

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from berth_agent import log  # noqa: E402
from berth_agent.context import Context, set_environment, set_trace  # noqa: E402
from berth_agent.errors import advice_on, is_syntax_error, message_of, report, send_error, stack_of, watch_threads  # noqa: E402
from berth_agent.frames import (  # noqa: E402
    CONTROL_FD, ERROR, HELLO, INIT, INIT_ERROR, INVOKE, READY, RESULT, ProtocolError, disown, leave, receive, send,
)
from berth_agent.handler import HandlerError, complete, event_loop, load, set_path  # noqa: E402
from berth_agent.values import decode, encode  # noqa: E402

sys.path.pop()

CO_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect

monotonic = time.monotonic


def init(settings, directory):
    """Loads the function and answers READY, or answers INIT_ERROR and leaves."""
    log.Stream.marks_levels = settings.get("log_levels", False)
    log.Stream.marks_late = settings.get("late_marks", False)
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
        elif isinstance(error, MemoryError):
            fields["kind"] = "out_of_memory"
        elif is_syntax_error(error, directory):
            fields.update(kind="syntax", line=error.lineno or 0)
            message = error.msg
        log.flush_all()
        report(error, message, directory)
        send_error(INIT_ERROR, fields, type(error).__name__, message, stack_of(error, directory))
        leave(1)
    log.flush_all()
    send(READY, b"{}")
    return handler, settings["limits"]["response_bytes"]


def invoke(handler, payload, output_bytes_max, directory):
    meta, _, body = payload.decode().partition("\n")
    meta = decode(meta)
    # An older host names no invocation, and recognises the answer by the request.
    name = "invocation_id" if "invocation_id" in meta else "request_id"
    id_ = meta[name]
    log.begin(id_)
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
        log.flush_all()
        report(error, message, directory)
        log.end()
        fields = {name: id_, "kind": "out_of_memory" if isinstance(error, MemoryError) else kind}
        send_error(ERROR, fields, type(error).__name__, message, stack_of(error, directory))
        return
    if len(output) > output_bytes_max:
        message = f"the output has {len(output)} bytes, the limit is {output_bytes_max}"
        log.log(log.LOG_ERROR, f"[ERROR] ResponseTooLarge: {message}")
        log.end()
        fields = {name: id_, "kind": "response_too_large", "size_bytes": len(output)}
        send_error(ERROR, fields, "ResponseTooLarge", message, [])
        return
    log.end()
    send(RESULT, f'{{"{name}":"{id_}"}}\n'.encode(), output)


def main():
    directory = os.environ.get("BERTH_FUNCTION_DIR", "/berth/function")
    os.set_inheritable(CONTROL_FD, False)
    os.register_at_fork(after_in_child=disown)
    log.open_logging()
    watch_threads(directory)

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
            log.flush_all()
            leave(0)  # not sys.exit(), which would wait for threads the function left behind
        if kind != INVOKE:
            raise ProtocolError(f"frame of type {kind}, not INVOKE")
        invoke(handler, payload, output_bytes_max, directory)


if __name__ == "__main__":
    main()
