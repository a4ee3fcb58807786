"""How results become JSON: in UTF-8, at any nesting, Decimals with their digits, and what JSON cannot say with its place."""

import json

import pytest

from conftest import RESULT, invoke_frame


@pytest.fixture
def output_of(ready):
    """output_of(language, expression, event): the bytes that an invocation answers with."""

    def run(language, expression, event=None, **settings):
        code = {
            "python": f"import decimal\nD = decimal.Decimal\ndef handler(event, context): return {expression}",
            "javascript": f"exports.handler = (event) => {expression};",
        }[language]
        agent = ready(language, code, **settings)
        agent.send(invoke_frame({"input": event}))
        kind, payload = agent.receive()
        assert kind == RESULT, payload
        return payload.partition(b"\n")[2]

    return run


@pytest.fixture
def mistake_in(ready):
    """mistake_in(expression): what the error says of a result that JSON cannot say."""

    def run(expression):
        code = f"import decimal\nD = decimal.Decimal\nclass A: pass\nasync def save(): pass\ndef handler(event, context): return {expression}"
        error = ready("python", code).invoke_error()
        assert error["kind"] == "invalid_output" and error["stack"] == []
        return error["message"].removeprefix("what the handler returned cannot be written as JSON: ")

    return run


def test_text_is_utf_8(output_of, language):
    text = "é\u0000\u001f\u007f\u2028\U0001f600\"\\/"
    assert output_of(language, "event", text) == b'"\xc3\xa9\\u0000\\u001f\x7f\xe2\x80\xa8\xf0\x9f\x98\x80\\"\\\\/"'


def test_limit_counts_the_bytes_that_are_sent(output_of, language):
    assert len(output_of(language, "event", "é" * 400, limits={"response_bytes": 1024})) == 802


def test_lone_surrogate_behind_a_backslash_stays_an_escape(output_of):
    output = output_of("python", r"['\\\ud83d', {'\udc00': '\\'}]")
    assert output == b'["\\\\\\ud83d",{"\\udc00":"\\\\"}]'
    assert json.loads(output) == ["\\\ud83d", {"\udc00": "\\"}]


@pytest.mark.parametrize(
    "digits", ["0", "-0", "1.10", "0.1000000000000000055511151231257827", "123456789012345678901234567890", "1E+400", "-1.5E-7"]
)
def test_decimal_is_a_number_with_its_digits(output_of, digits):
    expression = f"[D('{digits}'), {{'é': D('{digits}')}}, '{digits}']"
    assert output_of("python", expression).decode() == f'[{digits},{{"é":{digits}}},"{digits}"]'


def test_decimal_alone_and_in_a_deep_place(output_of):
    assert output_of("python", "D('1.50')") == b"1.50"
    code = "__import__('functools').reduce(lambda inner, _: [inner], range(5000), D('1.50'))"
    assert output_of("python", code) == b"[" * 5000 + b"1.50" + b"]" * 5000


@pytest.mark.parametrize("levels", [999, 10_000])
@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}"), ('[{"[]{}:,\\"\\\\":[0,1.5,"x\\\\",null],"b":', "},true]")])
def test_deep_nesting_comes_and_goes(ready, levels, opening, closing):
    levels //= len(opening) // 12 + 1
    agent = ready("python", "def handler(event, context): return event")
    value = (opening * levels + "1" + closing * levels).encode()
    agent.send(invoke_frame(b'{"parameters": {}, "input": ' + value + b"}"))
    kind, payload = agent.receive()
    assert kind == RESULT, payload
    assert payload.partition(b"\n")[2] == value


def test_deep_result_is_the_same_as_a_flat_one(output_of):
    value = """{'a': [1, -2.5, 1e300, True, False, None, 'é"\\\\', (), [], {}, (1, [2])], 1: {2.5: 0, True: 1, None: 2}}"""
    flat = output_of("python", value)
    deep = output_of("python", f"[{value}, __import__('functools').reduce(lambda inner, _: [inner], range(3000), 0)]")
    assert deep == b"[" + flat + b"," + b"[" * 3000 + b"0" + b"]" * 3000 + b"]"


MISTAKES = {
    "float('nan')": ("Out of range float values are not JSON compliant", "result"),
    "[1, {'a': [float('inf')]}]": ("Out of range float values are not JSON compliant", "result[1]['a'][0]"),
    "{'a': D('NaN')}": ("Out of range decimal values are not JSON compliant: NaN", "result['a']"),
    "[D('-Infinity')]": ("Out of range decimal values are not JSON compliant: -Infinity", "result[0]"),
    "{'items': [{1, 2}]}": ("Object of type set is not JSON serializable", "result['items'][0]"),
    "[b'bytes']": ("Object of type bytes is not JSON serializable", "result[0]"),
    "{'a': save()}": ("Object of type coroutine is not JSON serializable (is an await missing?)", "result['a']"),
    "[0, A()]": ("Object of type A is not JSON serializable", "result[1]"),
    "[{(1, 2): 3}]": ("keys must be str, int, float, bool or None, not tuple", "result[0][(1, 2)]"),
    "(lambda a: a.append({'a': a}) or a)([])": ("Circular reference detected", "result[0]['a']"),
}


@pytest.mark.parametrize("expression", MISTAKES)
def test_what_json_cannot_say_is_told_with_its_place(mistake_in, expression):
    problem, place = MISTAKES[expression]
    message = mistake_in(expression)
    assert message.startswith(problem) and message.endswith(f", at {place}")


def test_a_value_may_be_in_a_result_twice(output_of):
    assert output_of("python", "(lambda a: [a, a, {'a': a}, float('1')])([D(1)])") == b'[[1],[1],{"a":[1]},1.0]'


def test_too_deep_a_result_is_an_error_of_bounded_size(mistake_in):
    message = mistake_in("__import__('functools').reduce(lambda inner, _: [inner], range(10000), [])")
    assert message.startswith("More than 10000 levels of nesting, at result[0][0]") and len(message) < 300
