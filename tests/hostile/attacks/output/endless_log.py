# Prints for ever, until somebody ends it.


def handler(event, context):
    if event == "behave":
        return "well"
    while True:
        print("still here")
