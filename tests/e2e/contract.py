"""The API's description, /openapi.json, and whether answers are as it says. All that goes through support.Api is looked at."""

import functools
import json
import os
import re
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

EDGE = 10  # of a long array so many items are looked at at each end: what one lacks, all lack
PARSED_MAX = 8 << 20  # of what is larger, only status and headers


def edges(count):
    return range(count) if count <= 2 * EDGE else [*range(EDGE), *range(count - EDGE, count)]


def check_items(validator, items, instance, schema):
    if validator.is_type(instance, "array"):
        for i in edges(len(instance)):
            yield from validator.descend(instance[i], items, path=i)


def check_by_code(validator, schemas, instance, schema):
    """OpenAPI's discriminator, once Description has put the schemas there: only the one that is meant says what is wrong."""
    name, mapping = schemas["propertyName"], schemas["mapping"]
    if not isinstance(instance, dict) or instance.get(name) not in mapping:
        found = instance.get(name) if isinstance(instance, dict) else instance
        yield from validator.descend(found, {"enum": list(mapping)}, path=name)
    else:
        yield from validator.descend(instance, mapping[instance[name]])


Validator = extend(Draft202012Validator, {"items": check_items, "discriminator": check_by_code})


def flat(schema):
    """The same in one object, where it is an object put together from others (allOf): much faster to compare with."""
    parts = schema.get("allOf", [])
    if schema.get("unevaluatedProperties") is not False or any(part.keys() - {"type", "properties", "required", "description"} for part in parts):
        return schema
    properties = {}
    for name, value in [item for part in (*parts, schema) for item in part.get("properties", {}).items()]:
        properties[name] = {"allOf": [properties[name], value]} if name in properties else value
    rest = {name: value for name, value in schema.items() if name not in ("allOf", "unevaluatedProperties")}
    required = sorted({name for part in (*parts, schema) for name in part.get("required", [])})
    return rest | {"properties": properties, "required": required, "additionalProperties": False}


class Operation:
    def __init__(self, path, method, item, inline):
        self.path, self.method = path, method
        self.name = f"{method} {path}"
        self.json = inline(item[method.lower()])
        self.parameters = inline(item.get("parameters", [])) + self.json.get("parameters", [])
        self.pattern = re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + "$")

    def request_examples(self):
        """The bodies that stand as examples; {} when it takes none."""
        content = self.json.get("requestBody", {}).get("content", {})
        return {name: one["value"] for name, one in content.get("application/json", {}).get("examples", {}).items()}

    @functools.cache
    def validator(self, status, media_type):
        return Validator(self.json["responses"][status]["content"][media_type].get("schema", {}))


class Description:
    """A document, with each reference replaced by what it refers to."""

    def __init__(self, document):
        self.document = document
        self.operations = [
            Operation(path, method.upper(), item, self.inline)
            for path, item in document["paths"].items()
            for method in item
            if method in ("get", "post", "put", "delete", "patch")
        ]
        self.rooms = {operation.path.split("/")[1] for operation in self.operations}
        self.problem = Validator(self.inline({"$ref": "#/components/schemas/Problem"}))

    @functools.cache
    def target(self, ref):
        node = self.document
        for name in ref.removeprefix("#/").split("/"):
            node = node[name]
        return self.inline(node)

    def inline(self, node):
        if isinstance(node, list):
            return [self.inline(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "discriminator" in node:
            by = node["discriminator"]
            mapping = {code: self.target(ref) for code, ref in by["mapping"].items()}
            rest = {name: value for name, value in node.items() if name not in ("oneOf", "discriminator")}
            return self.inline(rest) | {"discriminator": {"propertyName": by["propertyName"], "mapping": mapping}}
        inlined = {name: self.inline(value) for name, value in node.items() if name != "$ref"}
        if "$ref" not in node:
            return flat(inlined)
        target = self.target(node["$ref"])
        return target if inlined.keys() <= {"description"} else {"allOf": [target], **inlined}

    def operation(self, method, path):
        """The one that a request is for, or None: what is spelled out goes before {id}."""
        path = path.partition("?")[0]
        method = "GET" if method == "HEAD" else method
        found = [o for o in self.operations if o.method == method and o.pattern.match(path)]
        return min(found, key=lambda o: o.path.count("{"), default=None)

    def faults(self, method, path, answer):
        """What is not as described, one line each."""
        operation = self.operation(method, path)
        if operation is None:
            return self.faults_elsewhere(method, path, answer)
        responses = operation.json["responses"]
        response = responses.get(str(answer.status_code))
        if response is None:
            return [f"the status is {answer.status_code}; described are {', '.join(responses)}: {answer.text[:300]}"]
        return [*check_headers(response, answer), *check_body(operation, method, response, answer)]

    def faults_elsewhere(self, method, path, answer):
        """Of what is no operation: errors are problems, and nothing of the API answers otherwise."""
        if media_type(answer) == "application/problem+json":
            return [] if method == "HEAD" else faults_of(self.problem, answer.json())
        if answer.status_code >= 400:
            return [f"an error whose type is {media_type(answer)!r}, so it is no problem"]
        if answer.status_code < 300 and path.partition("?")[0].split("/")[1] in self.rooms:
            return ["there is no such operation"]
        return []


def media_type(answer):
    return answer.headers.get("Content-Type", "").partition(";")[0].strip()


def reasons(error):
    """Of a choice between schemas what is wrong with the one that was meant: of the right type, and with the fewest faults."""
    branches = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    if not branches:
        return [error]
    meant = min(branches.values(), key=lambda inner: (any(e.validator == "type" and not e.path for e in inner), len(inner)))
    return [reason for inner in meant for reason in reasons(inner)]


def faults_of(validator, body):
    found = [reason for error in validator.iter_errors(body) for reason in reasons(error)]
    return [f"{'.'.join(['body', *map(str, error.absolute_path)])}: {error.message[:500]}" for error in found]


def check_headers(response, answer):
    for name, header in response.get("headers", {}).items():
        value, schema = answer.headers.get(name), header["schema"]
        if value is None:
            if header.get("required"):
                yield f"the header {name} is missing"
            continue
        if schema.get("type") == "integer" and value.isdigit():
            value = int(value)
        for error in Validator(schema).iter_errors(value):
            yield f"header {name}: {error.message}"


def check_body(operation, method, response, answer):
    content = response.get("content", {})
    if not content:
        return ["there is a body, and none is described"] if answer.content else []
    found = media_type(answer)
    if found not in content:
        return [f"the body's type is {found!r}; described are {', '.join(content)}"]
    if method == "HEAD" or not found.endswith("json") or len(answer.content) > PARSED_MAX:
        return []
    try:
        body = json.loads(answer.content)
    except ValueError as e:
        return [f"the body is not JSON: {e}"]
    return faults_of(operation.validator(str(answer.status_code), found), body)


@functools.cache
def description():
    """What the running platform was built with."""
    return Description(json.loads((Path(os.environ["BERTH_BUILD"]) / "openapi.json").read_text()))


_faults = []


def look_at(method, path, answer):
    """Notes what is not as described; take_faults() tells it once the test is over, whichever thread it was in."""
    for fault in description().faults(method, path, answer):
        _faults.append(f"{method} {path} → {answer.status_code}: {fault}")


def take_faults():
    """All there are since it was asked last, each once."""
    faults = list(dict.fromkeys(_faults))
    _faults.clear()
    return faults
