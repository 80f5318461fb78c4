#!/usr/bin/env python3
"""A client that knows nothing but /openapi.json: openapi_client.py BASE_URL, the token in TROVE_TOKEN.

It finds operations by their operationId, builds paths, parameters and bodies from the document, and validates every
answer against the schema that is declared for its status and content type. Ends with 0 and "ok", or says what was wrong.
"""
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse

import jsonschema

BASE = urllib.parse.urlsplit(sys.argv[1])
TOKEN = os.environ["TROVE_TOKEN"]
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


def die(what):
    sys.exit("openapi_client: " + what)


def expect(condition, what):
    if not condition:
        die(what)


def send(method, path, body=None, headers=None, timeout=60):
    connection = http.client.HTTPConnection(BASE.hostname, BASE.port, timeout=timeout)
    connection.request(method.upper(), path, body, {"Authorization": "Bearer " + TOKEN, **(headers or {})})
    return connection, connection.getresponse()


class Document:
    def __init__(self):
        connection, answer = send("get", "/openapi.json")
        self.whole = json.loads(answer.read())
        connection.close()
        self.operations = {}
        for path, item in self.whole["paths"].items():
            for method, operation in item.items():
                if method not in METHODS:
                    continue
                name = operation["operationId"]
                expect(name not in self.operations, "two operations are called " + name)
                self.operations[name] = (method, path, operation)
        self.validators = {}

    def resolve(self, node):
        while "$ref" in node:
            at = self.whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def validate(self, schema, value, where):
        # References lead into the whole document: it is the schema's surrounding.
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {**self.whole, **schema}
            self.validators[key] = jsonschema.Draft202012Validator(whole)
        wrong = list(self.validators[key].iter_errors(value))
        if wrong:
            deepest = jsonschema.exceptions.best_match(wrong)
            die(f"{where}: {deepest.json_path}: {deepest.message[:400]}")

    def call(self, name, path=None, query=None, headers=None, body=None, content=None, expected=None):
        """One request; returns (status, headers, value). `body` is a value of the declared schema, or text for YAML."""
        expect(name in self.operations, "there is no operation " + name)
        method, template, operation = self.operations[name]
        parameters = [self.resolve(one) for one in operation.get("parameters", [])]
        url = template
        for one in parameters:
            if one["in"] == "path":
                expect(one["name"] in (path or {}), f"{name}: the path needs {one['name']}")
                url = url.replace("{" + one["name"] + "}", urllib.parse.quote(path[one["name"]], safe=""))
        expect("{" not in url, f"{name}: a part of {template} is not described")
        for given, place in ((query or {}, "query"), (headers or {}, "header")):
            for key, value in given.items():
                known = [one for one in parameters if one["in"] == place and one["name"] == key]
                expect(known, f"{name}: there is no {place} parameter {key}")
                self.validate(known[0]["schema"], value, f"{name}: {key}")
        if query:
            words = {k: ("true" if v is True else "false" if v is False else v) for k, v in query.items()}
            url += "?" + urllib.parse.urlencode(words)
        sent = dict(headers or {})
        data = None
        if body is not None:
            kinds = operation["requestBody"]["content"]
            content = content or "application/json"
            expect(content in kinds, f"{name}: the body may not be {content}")
            sent["Content-Type"] = content
            if content == "application/json":
                self.validate(kinds[content]["schema"], body, f"{name}: the body")
                data = json.dumps(body)
            else:
                data = body
        if query and query.get("watch") is True:
            return self.stream(name, operation, url, sent)
        connection, answer = send(method, url, data, sent)
        text = answer.read()
        connection.close()
        status = str(answer.status)
        value = self.check(name, operation, status, answer, text)
        if expected is not None:
            expect(status == str(expected), f"{name}: {status} instead of {expected}: {text[:600]}")
        return int(status), answer.headers, value

    def declared(self, name, operation, status, content):
        described = operation["responses"].get(status)
        expect(described, f"{name}: the answer {status} is not described")
        described = self.resolve(described)
        for wanted in described.get("headers", {}):
            expect(wanted, "a header has a name")
        kinds = described.get("content", {})
        kind = content.split(";")[0].strip()
        expect(kind in kinds, f"{name}: {status} comes as {kind}, described are {sorted(kinds)}")
        return described, kinds[kind]["schema"]

    def check(self, name, operation, status, answer, text):
        content = answer.headers.get("Content-Type", "")
        described, schema = self.declared(name, operation, status, content)
        for header in described.get("headers", {}):
            expect(answer.headers.get(header) is not None, f"{name}: {status} has no {header}")
        value = text.decode() if content.startswith("text/") else json.loads(text)
        self.validate(schema, value, f"{name}: the answer {status}")
        return value

    def stream(self, name, operation, url, headers):
        connection, answer = send("get", url, None, headers)
        if answer.status != 200:
            text = answer.read()
            return answer.status, answer.headers, self.check(name, operation, str(answer.status), answer, text)
        _, schema = self.declared(name, operation, "200", answer.headers.get("Content-Type", ""))

        def lines():
            while True:
                line = answer.readline()
                if not line:
                    return
                value = json.loads(line)
                self.validate(schema, value, f"{name}: a line")
                yield value

        return 200, answer.headers, (connection, lines())


def main():
    document = Document()
    expect(document.whole["openapi"].startswith("3.1."), "this is not OpenAPI 3.1")
    try:
        import openapi_spec_validator
        openapi_spec_validator.validate_spec(document.whole)
    except ImportError:
        pass  # the shapes are checked by use below
    for name, schema in document.whole["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
    check_routes(document)

    here = {"project": "default"}

    def there(name):
        return {**here, "name": name}

    document.call("healthz", expected=200)
    document.call("readyz", expected=200)
    document.call("version", expected=200)
    document.call("metrics", expected=200)
    document.call("leaks", expected=200)
    document.call("openapi", expected=200)

    # The example of the document itself, as JSON; then YAML.
    example = document.operations["apply"][2]["requestBody"]["content"]["application/json"]["example"]
    document.call("apply", here, {"dryRun": "server"}, body=example, expected=200)
    document.call("plan", here, body=example, expected=200)
    document.call("apply", here, body=example, expected=200)
    name = example["documents"][0]["object"]["metadata"]["name"]
    _, headers, volume = document.call("getVolume", there(name), expected=200)
    yaml = "".join(
        f"---\napiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {{name: v{n}, labels: {{set: yaml}}}}\n"
        "spec: {size: 1}\n" for n in range(5))
    result = document.call("apply", here, body=yaml, content="application/yaml", expected=200)[2]
    expect([one["result"] for one in result["results"]] == ["created"] * 5, "five volumes were to be created")
    for _ in range(100):  # a plan is made of what the loop has seen, and that is a moment behind
        plan = document.call("plan", here, body={"remove": [{"kind": "Volume", "name": "v0"}]}, expected=200)[2]
        if plan["objects"]:
            break
        time.sleep(0.1)
    expect(plan["objects"] and plan["objects"][0]["op"] in ("forget", "delete"), "a plan tells of a removal")

    # Put: new, with the right ETag, with a stale one, where it must not exist.
    fresh = {"apiVersion": volume["apiVersion"], "kind": "Volume", "metadata": {"name": "put"}, "spec": {"size": 1}}
    document.call("putVolume", there("put"), headers={"If-None-Match": "*"}, body=fresh, expected=201)
    document.call("putVolume", there("put"), headers={"If-None-Match": "*"}, body=fresh, expected=412)
    _, headers, got = document.call("getVolume", there("put"), expected=200)
    bigger = {**fresh, "spec": {"size": 2}}
    document.call("putVolume", there("put"), headers={"If-Match": headers["ETag"]}, body=bigger, expected=200)
    status, _, problem = document.call("putVolume", there("put"), headers={"If-Match": headers["ETag"]}, body=bigger)
    expect(status == 412 and problem["code"] == "CONFLICT", "a stale ETag is refused")
    smaller = {**fresh, "spec": {"size": 1}}
    status, _, problem = document.call("putVolume", there("put"), body=smaller)
    expect(status == 422 and problem["problems"], "a volume that shrinks is refused with problems")

    # Pages of one moment, while the set changes; selectors.
    seen, query = [], {"limit": 2, "labelSelector": "set=yaml"}
    while True:
        page = document.call("listVolume", here, query, expected=200)[2]
        seen += [one["metadata"]["name"] for one in page["items"]]
        if len(seen) == 2:
            later = yaml.replace("name: v4", "name: v9")
            document.call("apply", here, body=later, content="application/yaml", expected=200)
        if "continue" not in page:
            break
        query = {**query, "continue": page["continue"]}
    expect(seen == ["v0", "v1", "v2", "v3", "v4"], f"pages of one moment hold {seen}")
    one = document.call("listVolume", here, {"fieldSelector": "metadata.name=v9"}, expected=200)[2]
    expect([o["metadata"]["name"] for o in one["items"]] == ["v9"], "a field selector chooses")
    document.call("listVolume", here, {"fieldSelector": "spec.sise=1"}, expected=400)

    # Watch from a list's revision.
    listed = document.call("listVolume", here, expected=200)[2]
    status, _, (connection, lines) = document.call(
        "listVolume", here, {"watch": True, "resourceVersion": listed["revision"], "fieldSelector": "metadata.name=w"})
    made = {**fresh, "metadata": {"name": "w"}}
    threading.Timer(0.2, lambda: document.call("putVolume", there("w"), body=made, expected=201)).start()
    first = next(lines)
    expect(first["type"] == "ADDED" and first["object"]["metadata"]["name"] == "w", f"a watch tells {first}")
    document.call("deleteVolume", there("w"), expected=202)
    for line in lines:
        if line["type"] == "DELETED":
            break
    connection.close()
    status, _, problem = document.call("listVolume", here, {"watch": True, "resourceVersion": "999999999"})
    expect(status == 410 and problem["code"] == "EXPIRED", "a revision that never was is refused")

    # Every kind: list, and of one object each, all that can be read about it.
    for kind in [k[4:] for k in document.operations if k.startswith("list")]:
        listed = document.call("list" + kind, here, expected=200)[2]
        for operation in ("get", "planOf", "eventsOf", "historyOf"):
            for item in listed["items"][:1]:
                document.call(operation + kind, there(item["metadata"]["name"]), expected=200)
            document.call(operation + kind, there("nobody-has-this"), expected=404)
    secret = {"apiVersion": volume["apiVersion"], "kind": "Secret", "metadata": {"name": "s"},
              "spec": {"data": {"a": "canary"}}}
    stored = document.call("putSecret", there("s"), body=secret, expected=201)[2]
    expect("canary" not in json.dumps(stored), "a secret is not shown")
    document.call("getSecret", there("s"), expected=200)
    expect(document.call("reveal", there("s"), expected=200)[2]["data"] == {"a": "canary"}, "a secret is revealed")
    document.call("deleteVolume", there("put"), headers={"If-Match": '"1"'}, expected=412)
    document.call("deleteVolume", there("put"), expected=202)
    print("ok")


def check_routes(document):
    """What the server answers to is described, and what is described it answers to."""
    described = {}
    for method, path, _ in document.operations.values():
        described.setdefault(path, set()).add(method.upper())
    for path, methods in described.items():
        url = path.replace("{project}", "default").replace("{name}", "nobody-has-this")
        connection, answer = send("trace", url)
        answer.read()
        connection.close()
        expect(answer.status == 405, f"{path}: TRACE is answered {answer.status}")
        allowed = {one.strip() for one in answer.headers["Allow"].split(",")} - {"HEAD"}
        expect(allowed == methods, f"{path}: the server takes {sorted(allowed)}, described are {sorted(methods)}")


main()
