# Computes in native code that never gives the interpreter lock back: no signal handler, no other thread runs.


def handler(event, context):
    if event == "behave":
        return "well"
    return pow(3, 10**9) & 1
