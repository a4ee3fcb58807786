# Returns a list nested 100000 deep.


def handler(event, context):
    if event == "behave":
        return "well"
    result = []
    for _ in range(100000):
        result = [result]
    return result
