# Starts threads until no more can be had.

import threading


def handler(event, context):
    if event == "behave":
        return "well"
    stay = threading.Event()
    count = 0
    while count < 2000:
        try:
            threading.Thread(target=stay.wait, daemon=True).start()
        except RuntimeError as error:
            stay.set()
            return {"error": "EAGAIN" if "start new thread" in str(error) else str(error), "threads": count}
        count += 1
    return {"error": None, "threads": count}
