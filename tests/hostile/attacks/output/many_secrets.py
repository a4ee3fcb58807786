# Has as many secrets as it may, which all look like what it prints a megabyte of, but for their ends: the host has to find the one.
import sys


def handler(event, context):
    if event == "behave":
        return "well"
    sys.stdout.write("a" * ((1 << 20) - 1) + "b")
    return "printed"
