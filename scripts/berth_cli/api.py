"""One request and its answer."""

import contextlib
import http.client
import json
import ssl
import urllib.parse

from berth_cli import Failure, Misuse

TIMEOUT_S = 120


class Problem(Failure):
    """An answer other than success. code: of the problem, "" when the answer is none."""

    def __init__(self, what, status, body):
        problem = body if isinstance(body, dict) else {}
        self.status, self.code = status, problem.get("code", "")
        details = [str(problem.get("detail") or problem.get("title") or "")]
        details += [f"{e.get('field')}: {e.get('message')}" for e in problem.get("errors", []) if isinstance(e, dict)]
        error = problem.get("error")
        if isinstance(error, dict):
            details.append(f"{error.get('type')}: {error.get('message')}")
        super().__init__(f"{what}: {status} {self.code}: {'; '.join(d for d in details if d)}")


class Api:
    def __init__(self, url, ca):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise Misuse(f"'{url}' is not like https://HOST:PORT")
        try:
            self.host, self.port = parts.hostname, parts.port or 443
        except ValueError as e:
            raise Misuse(f"cannot use --url {url}: {e}") from None
        try:
            self.context = ssl.create_default_context(cafile=ca)
        except OSError as e:
            raise Failure(f"cannot use --ca {ca}: {e}") from None
        self.authority = parts.netloc

    def call(self, method, path, body=None):
        """(status, headers, body as JSON or None), over a connection of its own."""
        text = json.dumps(body) if body is not None else None
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_S, context=self.context)
        try:
            with contextlib.closing(connection):
                connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
                response = connection.getresponse()
                return response.status, response.headers, parse(response.read())
        except ssl.SSLCertVerificationError as e:
            raise Failure(
                f"{method} https://{self.authority}{path}: {e}; name the certificate to trust with --ca FILE or BERTH_CA "
                "(a stack's is DIR/tls/cert.pem)"
            ) from None
        except (OSError, http.client.HTTPException) as e:
            raise Failure(f"{method} https://{self.authority}{path}: {e}") from None

    def get(self, path):
        return self.wanted("GET", path, None, 200)

    def post(self, path, body):
        return self.wanted("POST", path, body, 201)

    def wanted(self, method, path, body, status):
        """The body of an answer with that status; any other is a Problem."""
        got, _, answer = self.call(method, path, body)
        if got != status:
            raise Problem(f"{method} {path}", got, answer)
        return answer


def quoted(name):
    return urllib.parse.quote(name, safe="")


def parse(body):
    try:
        return json.loads(body)
    except ValueError:
        return None
