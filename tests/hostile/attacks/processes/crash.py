# Reads address 0, so that its process ends with a core dump, if somebody lets it.

import ctypes


def handler(event, context):
    if event == "behave":
        return "well"
    ctypes.string_at(0)
