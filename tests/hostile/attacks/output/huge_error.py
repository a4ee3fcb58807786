# Fails with a message and a stack far longer than they may be.


def dig(depth):
    if depth == 0:
        raise RuntimeError("\x00\ud800\u2028x" * (1 << 20))
    dig(depth - 1)


def handler(event, context):
    if event == "behave":
        return "well"
    dig(800)
