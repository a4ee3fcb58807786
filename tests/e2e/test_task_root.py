"""/var/task, where functions written for Lambda look for their files, leads to them."""

import pytest

CODE = {
    "python": """
import os

def handler(event, context):
    root = os.environ["LAMBDA_TASK_ROOT"]
    with open("/var/task/main.py") as file:
        read = "LAMBDA_TASK_ROOT" in file.read()
    here = os.path.dirname(os.path.abspath(__file__))
    return [root, sorted(os.listdir(root)), read, os.path.samefile(root, here), os.path.samefile(root, os.getcwd())]
""",
    "javascript": """
const fs = require('fs');
const same = (a, b) => fs.realpathSync(a) === fs.realpathSync(b);
exports.handler = async () => {
    const root = process.env.LAMBDA_TASK_ROOT;
    const read = fs.readFileSync('/var/task/main.js', 'utf8').includes('LAMBDA_TASK_ROOT');
    return [root, fs.readdirSync(root).sort(), read, same(root, __dirname), same(root, process.cwd())];
};
""",
}
FILE = {"python": "main.py", "javascript": "main.js"}


@pytest.mark.parametrize("language", CODE)
def test_the_functions_files_are_in_the_task_root(api, deploy, runtime, language):
    function = deploy(CODE[language], language=language, runtime=runtime)
    assert api.output(function) == ["/var/task", [FILE[language]], True, True, True]


@pytest.mark.parametrize("language", CODE)
def test_the_task_root_cannot_be_written_to(api, deploy, language):
    code = {
        "python": "def handler(event, context): open('/var/task/new', 'w')",
        "javascript": "exports.handler = async () => require('fs').writeFileSync('/var/task/new', '');",
    }[language]
    answer = api.execute(deploy(code, language=language))
    assert answer.status_code == 502
    assert "Read-only file system" in answer.text or "EROFS" in answer.text
