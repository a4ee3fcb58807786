# Fails with a message that would control a terminal, and forge a line, where the platform's log is read.


def handler(event, context):
    if event == "behave":
        return "well"
    text = "\x1b]0;owned\x07\x1b[2J\nts=2026-01-01T00:00:00Z level=error proc=master msg=forged\r\u202e"
    print(text)
    raise RuntimeError(text)
