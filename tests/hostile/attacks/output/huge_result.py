# Returns far more than it may.


def handler(event, context):
    if event == "behave":
        return "well"
    return "x" * (8 << 20)
