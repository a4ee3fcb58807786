# Fills /tmp, which is memory and here larger than what the function may have.


def handler(event, context):
    if event == "behave":
        return "well"
    for n in range(30):
        with open(f"/tmp/{n}", "wb") as file:
            file.write(b"x" * (8 << 20))
    return "wrote all"
