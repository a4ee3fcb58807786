# Returns text that UTF-8 cannot hold, and NUL.


def handler(event, context):
    if event == "behave":
        return "well"
    return "\ud83d \udc00 \0"
