# Has as many secrets as it may, which all look like what it prints a megabyte of: the host has to find them.
import sys


def handler(event, context):
    if event == "behave":
        return "well"
    sys.stdout.write("a" * (1 << 20))
    return "printed"
