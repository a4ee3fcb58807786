"""Each attack on each runtime: it gets the error that is promised, nobody else notices, nothing is left, and the next call works."""

import pytest
from checks import Run
from support import wait_for
from table import ATTACKS, RUNTIMES


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.label)
def test_an_attack_harms_only_itself(attack, runtime, api, database, stack, deploy, neighbours, host, outcome):
    function = deploy(attack.code(), language=attack.language, runtime=runtime, **attack.settings)
    event = attack.event(stack) if callable(attack.event) else attack.event
    log_mark = stack.log_mark()
    containers = set(stack.containers())
    outcome("FAILED")

    with neighbours[runtime].watched() as neighbour:
        answer = api.execute(function, event)
    said = attack.expected[runtime].check(answer)
    if attack.then:
        attack.then(Run(api, database, stack, attack, function, answer, log_mark))
    neighbour.check()

    assert api.output(function, "behave") == "well"

    assert api.delete(f"/functions/{function['id']}").status_code == 204
    wait_for("sandboxes, containers and directories to agree", lambda: stack.is_tidy(api), 30)
    gone = containers - set(stack.containers())
    assert gone, "the attacker's sandbox is still there"
    assert host.in_the_end(lambda: host.strays(gone)) == []
    assert host.in_the_end(host.surplus) == {}
    outcome(said)
