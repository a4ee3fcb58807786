"""Values of the function as JSON, and back."""

import json
import os
import re
import sys

NESTING_MAX = 10_000  # levels of arrays and objects in a result
PLACE_CHARS_MAX = 200  # of the place in a result that cannot be written


def substitute(value):
    """What json is to write for a value that it does not know: of a Decimal, a text that encode() replaces by its digits."""
    decimal = getattr(sys.modules.get("decimal"), "Decimal", ())
    if not isinstance(value, decimal):
        advice = " (is an await missing?)" if hasattr(type(value), "__await__") else ""
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable{advice}")
    if not value.is_finite():
        raise ValueError(f"Out of range decimal values are not JSON compliant: {value}")
    return f"{DIGITS}{decimal.__str__(value)}{DIGITS}"


DIGITS = "\ue000" + os.urandom(16).hex()  # in no text of any function; its first character is quickly not found in most texts
decode_flat = json.JSONDecoder().decode
encode_flat = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=substitute).encode


def encode(value):
    """Returns the value as JSON in UTF-8."""
    try:
        text = encode_flat(value)
    except (TypeError, ValueError, RecursionError):
        text = None
    if text is None:
        text = encode_deep(value)
    if DIGITS in text:
        text = text.replace(f'"{DIGITS}', "").replace(f'{DIGITS}"', "")
    return text.encode("utf-8", "backslashreplace")  # which writes a lone surrogate as JSON does: \ud83d


def encode_deep(value):
    """encode_flat() without recursion. It is slower, and an error says where in the value it is."""
    parts = ["["]
    path = [0]  # the names of the members that are being written, outermost first
    levels = [([value], iter([(0, value)]))]  # the containers that they are in, and the members that follow
    around = set()  # the ids of these containers
    try:
        while levels:
            container, members = levels[-1]
            for name, member in members:
                path[-1] = name
                if parts[-1] not in ("[", "{"):
                    parts.append(",")
                if isinstance(container, dict):
                    parts.append(encode_flat({name: 0})[1:-2])
                if not isinstance(member, (dict, list, tuple)):
                    parts.append(encode_flat(member))
                    continue
                if id(member) in around:
                    raise ValueError("Circular reference detected")
                if len(levels) > NESTING_MAX:
                    raise ValueError(f"More than {NESTING_MAX} levels of nesting")
                around.add(id(member))
                path.append(None)
                levels.append((member, iter(member.items() if isinstance(member, dict) else enumerate(member))))
                parts.append("{" if isinstance(member, dict) else "[")
                break
            else:
                parts.append("}" if isinstance(container, dict) else "]")
                around.discard(id(container))
                path.pop()
                levels.pop()
    except (TypeError, ValueError) as error:
        place = "".join(f"[{name!r}]" for name in path[1:])
        error.args = (f"{error}, at result{place[:PLACE_CHARS_MAX]}",)
        raise
    return "".join(parts)[1:-1]


def decode(text):
    try:
        return decode_flat(text)
    except RecursionError:
        return decode_deep(text)


def decode_deep(text):
    """decode_flat() without recursion. It is slower, and relies on the host having checked the text."""
    outer = []  # the arrays and objects around the innermost one, as far as they have been read
    inner = []  # the members of the innermost one, for an object with their names
    for token in re.findall(r'[][{}]|"(?:[^"\\]++|\\.)*+"|[^][{}",:\s]+', text):
        if token in "[{":
            outer.append(inner)
            inner = []
        elif token in "]}":
            value = inner if token == "]" else dict(zip(inner[::2], inner[1::2]))
            inner = outer.pop()
            inner.append(value)
        else:
            inner.append(decode_flat(token))
    return inner[0]
