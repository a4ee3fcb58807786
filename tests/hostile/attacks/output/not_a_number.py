# Returns numbers that JSON does not have.


def handler(event, context):
    if event == "behave":
        return "well"
    return [float("nan"), float("inf"), float("-inf")]
