"""The message of a JavaScript error says what to do, where that is certain (test_error_log.py has Python's)."""

import os

import pytest

from conftest import ERROR, INIT_ERROR, init_frame, invoke_frame

ADVICE = " (the environment variable {} is not set: add it to the function's environment)"
UNSET = {
    "a member is read": "exports.handler = () => process.env.TABLE_NAME.split(',');",
    "the last of several": "exports.handler = (event) => [process.env.PATH.length, process.env['TABLE_NAME'].length];",
    "a constant": "const table = process.env.TABLE_NAME;\nexports.handler = async () => ({ name: table.toLowerCase() });",
    "destructured": "const { PATH, TABLE_NAME } = process.env;\nexports.handler = async () => TABLE_NAME.length;",
    "destructured, with another name": "const { TABLE_NAME: table, PATH } = process.env;\nexports.handler = async () => table.length;",
    "an address": "exports.handler = () => new URL(process.env.TABLE_NAME);",
    "fetch": "exports.handler = async () => fetch(process.env.TABLE_NAME);",
    "an argument": "exports.handler = () => require('path').join('/tmp', process.env.TABLE_NAME);",
    "JSON": "exports.handler = () => JSON.parse(process.env.TABLE_NAME);",
    "a callback": "exports.handler = (e, c, done) => { setTimeout(() => done(null, process.env.TABLE_NAME.length), 1); };",
}
NO_GUESS = {
    "another object": "exports.handler = () => { const table = process.env.TABLE_NAME; return {}.x.split(table); };",
    "a member of that name": "const table = process.env.TABLE_NAME;\nexports.handler = () => ({ table: undefined }).table.length;",
    "set": "exports.handler = () => process.env.PATH.x.y;",
    "a default": "const table = process.env.TABLE_NAME || undefined;\nexports.handler = () => table.x;",
    "null": "exports.handler = () => null.x + process.env.TABLE_NAME;",
    "minified": "exports.handler = () => process.env.TABLE_NAME.split(',');" + ";" * 500,
}


@pytest.mark.parametrize("case", UNSET)
@pytest.mark.parametrize("file", ["main.js", "main.mjs"])
def test_variable_that_is_not_set_is_named(ready, case, file):
    code = UNSET[case]
    if file == "main.mjs":
        code = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n" + code.replace(
            "exports.handler =", "export const handler ="
        )
    agent = ready("javascript", {file: code})
    assert agent.invoke_error()["message"].endswith(ADVICE.format("TABLE_NAME"))
    assert ADVICE.format("TABLE_NAME").encode() in agent.log


@pytest.mark.parametrize("case", NO_GUESS)
def test_no_variable_is_named_where_that_would_be_a_guess(ready, case):
    assert "is not set" not in ready("javascript", NO_GUESS[case]).invoke_error()["message"]


def test_variable_that_is_not_set_is_named_while_loading_too(boot):
    agent = boot("javascript", "const names = process.env.TABLE_NAME.split(',');\nexports.handler = () => names;")
    agent.send(init_frame())
    assert agent.expect(INIT_ERROR)["message"].endswith(ADVICE.format("TABLE_NAME"))


CONNECTIONS = {
    "connecting": "(e, c, done) => { require('net').connect(80, '192.0.2.1').on('error', done); }",
    "resolving": "async () => require('dns/promises').lookup('name.invalid')",
    "https": "(e, c, done) => { require('https').get('https://name.invalid/').on('error', done); }",
    "fetch": "async () => fetch('https://name.invalid/')",
    "an error that nobody listens to": "(e, c, done) => { require('https').get('https://name.invalid/', () => done()); }",
    "several addresses": "async () => { throw new AggregateError([Object.assign(new Error(), { code: 'ENETUNREACH' })], 'none'); }",
}


@pytest.mark.skipif(os.getuid() != 0, reason="makes a network of its own")
@pytest.mark.parametrize("case", CONNECTIONS)
def test_without_a_network_the_message_says_so(ready, case):
    agent = ready("javascript", f"exports.handler = {CONNECTIONS[case]};", prefix=["unshare", "--net"])
    agent.send(invoke_frame())
    assert agent.expect(ERROR)["message"].endswith(" (the function has no network: set its network to egress)")


@pytest.mark.parametrize("code", ["require('at_load');", "import 'at_load';", "require('./at_load');"])
def test_module_that_is_not_there_is_told_with_where_to_add_it(init_error, code):
    message = init_error("javascript", code)["message"]
    assert "at_load" in message.splitlines()[0]
    assert message.endswith("(it is neither among the function's files nor in the image of its language: add it there)")


def test_missing_handler_file_is_told_with_the_files_there_are(init_error):
    error = init_error("javascript", {"app.js": "", "util.js": ""})
    assert error["message"] == "handler 'main.handler': there is no main.js, .mjs or .cjs; name one of the function's files: app.js, util.js"


def test_missing_await_is_asked_for(ready, init_error):
    code = "const boom = async () => { throw new Error('lost'); };\n"
    agent = ready("javascript", code + "exports.handler = async () => { boom(); await new Promise((go) => setTimeout(go, 1000)); };")
    assert agent.invoke_error()["message"] == "lost (is an await missing?)"
    assert agent.log.count(b"is an await missing?") == 1
    error = init_error("javascript", code + "boom(); await new Promise((go) => setTimeout(go, 1000)); export const handler = 1;")
    assert error["message"] == "lost (is an await missing?)"


def test_function_that_has_replaced_what_is_asked_gets_no_advice(ready):
    code = "exports.handler = () => { String.prototype.slice = null; return process.env.TABLE_NAME.split(','); };"
    assert "split" in ready("javascript", code).invoke_error()["message"]
