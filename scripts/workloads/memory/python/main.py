"""Moves memory: gets new pages, writes each, copies them, and gives them back."""

SIZE = 16 << 20


def handler(event, context):
    buffer = bytearray(SIZE)
    for page in range(0, SIZE, 4096):
        buffer[page] = page >> 12 & 255
    copy = bytes(buffer)
    return copy[4096 * 17] + len(copy)
