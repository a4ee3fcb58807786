"""CommonJS or ES module: as Node.js decides, and where it does not, what compiles."""

import pytest

MODULES = {
    "names of CommonJS declared at the top": (
        "import path from 'node:path';\nimport { fileURLToPath } from 'node:url';\n"
        "const __filename = fileURLToPath(import.meta.url);\nconst __dirname = path.dirname(__filename);\n"
        "export const handler = async () => path.basename(__filename);"
    ),
    "a declared name first": (
        "const __dirname = import.meta.url;\nexport const handler = async () => __dirname.split('/').pop();"
    ),
    "require made": (
        "const { createRequire } = await import('node:module');\nconst require = createRequire(import.meta.url);\n"
        "const path = require('node:path');\nexport const handler = async () => path.basename('/x/main.js');"
    ),
    "module and exports": (
        "const module = 'main', exports = '.js';\nexport const handler = async () => module + exports;"
    ),
    "import.meta alone": "const name = import.meta.url.split('/').pop();\nexport { handler };\nfunction handler() { return name; }",
}


@pytest.mark.parametrize("case", MODULES)
def test_code_that_compiles_only_as_a_module_is_one(ready, case):
    agent = ready("javascript", MODULES[case])
    assert agent.invoke() == "main.js"
    assert agent.log == b""


def test_a_package_decides_as_in_node(ready, init_error):
    files = {"main.js": "export const handler = async () => typeof require;", "package.json": '{"type": "module"}'}
    assert ready("javascript", files).invoke() == "undefined"


def test_a_cjs_file_is_never_a_module(init_error):
    error = init_error("javascript", {"main.cjs": "export const handler = () => 1;"})
    assert (error["kind"], error["line"]) == ("syntax", 1)


@pytest.mark.parametrize(
    "code, line, message",
    [
        ("exports.a = 1;\n\nexports.handler = () => {;", 3, "Unexpected end of input"),
        ("exports.handler = (event) => {\n    return await event;\n};", 2, "await is only valid in async functions"),
        ("const __dirname = import.meta.url;\n\nexport const handler = (;", 3, "Unexpected token ';'"),
        ("return;\nawait 1;\nlet x = (;", 2, "await is only valid"),
        ("const a = await 1;\nlet x = (;", 2, "Unexpected token ';'"),
    ],
)
def test_the_more_fitting_of_two_errors_is_told(init_error, code, line, message):
    error = init_error("javascript", code)
    assert (error["kind"], error["line"]) == ("syntax", line), error
    assert message in error["message"]


def test_a_module_that_compiles_tells_its_own_exception(init_error):
    error = init_error("javascript", "const fs = require('node:fs');\nawait 1;\nexports.handler = () => 1;")
    assert (error["kind"], error["type"]) == ("exception", "ReferenceError")
    assert "require" in error["message"]


def test_modules_of_node_path_come_after_the_functions_own(ready, tmp_path):
    files = {
        "main.js": "exports.handler = async () => [require('one'), require('two')];",
        "node_modules/one/index.js": "module.exports = 'own';",
        "layer/one/index.js": "module.exports = 'layer';",
        "layer/two/index.js": "module.exports = 'layer';",
    }
    agent = ready("javascript", files, environment={"NODE_PATH": str(tmp_path / "layer")})
    assert agent.invoke() == ["own", "layer"]
