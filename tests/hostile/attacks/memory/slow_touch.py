# Reserves far more memory than it may have, then touches it page by page.

import mmap


def handler(event, context):
    if event == "behave":
        return "well"
    with mmap.mmap(-1, 1 << 30) as memory:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1
    return "touched all"
