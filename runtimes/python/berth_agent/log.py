"""What the function prints: its two streams, the order between them, and logging as Lambda sets it up."""

import io
import logging
import os
import sys
import time

from .frames import write, write_all

SWITCH = b"\xff\0berth:switch\0\xff"  # goes to both streams when the function turns from one to the other
LEVEL = b"\xff\0berth:level%d\0\xff"  # begins an entry: 1 trace, 2 debug, 3 info, 4 warning, 5 error, 6 critical; 0 ends it
INVOKE = b"\xff\0berth:invoke\0\xff"  # goes to both streams when an invocation begins and something was printed since the last answer
FAILED = b"\xff\0berth:failed\0\xff"  # before an error that nobody caught after an answer
LOG_INFO, LOG_ERROR = 3, 5  # the levels of what is printed to stdout and to stderr

is_answered = True  # there is no invocation now, but there may have been one
request_id = ""  # what the lines of logging name: Lambda's request is our invocation


class Stream(io.FileIO):
    """stdout or stderr. The host reads each separately; marks tell it the order between them."""

    latest = None  # the one printed to last
    sockets = []  # of both, whatever becomes of descriptors 1 and 2
    marks_levels = False  # whether the host knows the marks of levels
    marks_late = False  # whether it knows those of late output

    def write(self, data):
        if Stream.latest is not self:
            self.turn()
        return write_file(self, data)

    def turn(self):
        if Stream.latest:
            mark(SWITCH)
        Stream.latest = self


write_file = io.FileIO.write


def mark(bytes_):
    """Writes a mark to both streams."""
    for socket in Stream.sockets:
        try:
            write(socket, bytes_)
        except OSError:  # the host has closed, or the function
            pass


def begin(id_):
    """An invocation begins. The host has to tell what it prints from what was printed since the answer before."""
    global is_answered, request_id
    if Stream.latest and request_id and Stream.marks_late:
        flush_all()
        mark(INVOKE)
    request_id = id_
    is_answered = False


def end():
    """The invocation is about to be answered."""
    global is_answered
    flush_all()
    is_answered = True
    Stream.latest = None


def open_stream(old):
    """Flushes each line, so that output before a timeout or an out-of-memory kill is in the log."""
    raw = Stream(old.fileno(), "w", closefd=False)
    raw.name = old.name
    Stream.sockets.append(os.dup(old.fileno()))
    return io.TextIOWrapper(io.BufferedWriter(raw), old.encoding, "backslashreplace", line_buffering=True)


STDOUT = sys.stdout = sys.__stdout__ = open_stream(sys.stdout)
STDERR = sys.stderr = sys.__stderr__ = open_stream(sys.stderr)
STREAMS = STDOUT.buffer.raw, STDERR.buffer.raw


def log(level, text, before=b""):
    """Writes one entry, after what was printed before, to the log and not to what the function has put in its place."""
    flush(STDOUT, STDERR)
    data = text.encode("utf-8", "backslashreplace")
    if not data.endswith(b"\n"):
        data += b"\n"
    if Stream.marks_levels and (level not in (LOG_INFO, LOG_ERROR) or data.count(b"\n") > 1):
        data = b"%b%b%b" % (LEVEL % level, data, LEVEL % 0)
    data = before + data
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
