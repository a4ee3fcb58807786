"""What an attack may come to. Each expectation checks an answer, and says in a few words what it is: the tables print that."""

from support import check_problem

STATUS = {"function_timeout": 504}  # all others are 502

# How an operating system says no.
REFUSALS = {
    "EACCES", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ECONNREFUSED", "EHOSTUNREACH", "EINVAL", "EISDIR", "ENETUNREACH", "ENODEV", "ENOENT",
    "ENOSYS", "ENOTSUP", "ENXIO", "EPERM", "EROFS", "EXDEV",
}  # fmt: skip


class Problem:
    """The invocation fails with one of these codes, and with these members."""

    def __init__(self, *codes, **members):
        self.codes, self.members = codes, members

    def check(self, answer):
        code = answer.json().get("code", "success")
        assert code in self.codes, answer.text[:2000]
        problem = check_problem(answer, STATUS.get(code, 502), code)
        assert {name: problem.get(name) for name in self.members} == self.members
        return code

    def __str__(self):
        return " or ".join(self.codes) + "".join(f", {name} {value}" for name, value in self.members.items())


class Output:
    """The invocation succeeds with one of these outputs: the attack was not one, or it harmed itself only."""

    def __init__(self, *outputs, means="returns"):
        self.outputs, self.means = outputs, means

    def check(self, answer):
        assert answer.status_code == 200, answer.text[:2000]
        assert answer.json()["output"] in self.outputs
        return self.means

    def __str__(self):
        return self.means


class Limit:
    """The function gets this error (its member `error`) after no more than so many of what it took."""

    def __init__(self, error, **most):
        self.error, self.most = error, most

    def check(self, answer):
        assert answer.status_code == 200, answer.text[:2000]
        output = answer.json()["output"]
        assert output["error"] == self.error, output
        for name, most in self.most.items():
            assert most / 2 <= output[name] <= most, output
        return self.error

    def __str__(self):
        return self.error + "".join(f" after {most} {name.replace('_', ' ')}" for name, most in self.most.items())


class Refused:
    """
    The operating system refuses all that was tried. What is `own` may be granted, for it reaches no farther than the sandbox
    itself; a list that is returned is of what was found, and must have nothing but what is `found`.
    """

    def __init__(self, own=(), found=(), errors=REFUSALS):
        self.own, self.found, self.errors = set(own), set(found), errors

    def check(self, answer):
        assert answer.status_code == 200, answer.text[:2000]
        output = answer.json()["output"]
        tried = {name: error for name, error in output.items() if not isinstance(error, list)}
        assert tried
        assert {name for name, error in tried.items() if error not in self.errors} <= self.own, output
        assert {one for found in output.values() if isinstance(found, list) for one in found} <= self.found, output
        return "/".join(sorted(set(tried.values()) & self.errors))

    def __str__(self):
        return "refused" + (f", but for its own {', '.join(sorted(self.own))}" if self.own else "")
