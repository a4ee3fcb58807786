# Takes memory in large pieces and writes to all of it.


def handler(event, context):
    if event == "behave":
        return "well"
    pieces = []
    while True:
        pieces.append(b"x" * (8 << 20))
