# Loads programs into the kernel, and watches it: bpf, performance events, user page faults.

import ctypes


def handler(event, context):
    if event == "behave":
        return "well"
    attributes = ctypes.create_string_buffer(128)
    MAP_CREATE, PROG_LOAD = 0, 5
    return {
        "map": attempt(call, "bpf", MAP_CREATE, attributes, 128),
        "program": attempt(call, "bpf", PROG_LOAD, attributes, 128),
        "perf_event_open": attempt(call, "perf_event_open", attributes, -1, 0, -1, 0),
        "userfaultfd": attempt(call, "userfaultfd", 0),
    }
