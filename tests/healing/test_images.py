"""An image is built anew under its name, for a security update for instance: it takes effect without a restart or a lost request."""

import pytest
from support import default_version, wait_for

IMAGE = default_version("python")["image"]
NOTICED_S = 15  # Docker is asked every ten
REPLACED_S = 60


@pytest.fixture
def rebuild(stack):
    """rebuild() puts another image under the name, as a build does; afterwards the first is there again."""
    before = stack.docker("image", "inspect", "-f", "{{.Id}}", IMAGE).strip()
    made = []

    def build():
        container = stack.docker("create", IMAGE, "true").strip()
        made.append(stack.docker("commit", "--change", f"LABEL test.build={len(made)}", container, IMAGE).strip())
        stack.docker("rm", container)
        return made[-1]

    yield build
    stack.docker("tag", before, IMAGE)
    wait_for("the first image to be back", lambda: images_in_use(stack) == {before}, NOTICED_S + REPLACED_S)
    for image in made:
        stack.docker("image", "rm", image)


def images_in_use(stack):
    """Of sandboxes of Python."""
    return {c["Image"] for c in stack.inspect_all() if c["Config"]["Cmd"][1:2] == ["python3"]}


def test_sandboxes_of_an_older_image_are_replaced_while_requests_come_in(api, deploy, rebuild, stack, start_traffic):
    warm = deploy("import os\ndef handler(event, context):\n    return os.getuid()\n", min_warm=1)
    wait_for("it to be warm", lambda: api.execute(warm).headers["Berth-Start"] == "warm")
    traffic = start_traffic()
    before = images_in_use(stack)
    assert len(before) == 1
    after = rebuild()
    assert {after} != before
    wait_for("all of them to be replaced", lambda: images_in_use(stack) == {after}, NOTICED_S + REPLACED_S)
    traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert api.execute(warm).status_code == 200
    assert stack.docker("image", "inspect", "-f", "{{.Id}}", IMAGE).strip() == after
