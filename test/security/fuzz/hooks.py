"""Schemathesis hooks: the accounts that make the calls, and ids that exist. See run.mjs."""

import os
import re
import subprocess
from collections import deque
from itertools import count
from urllib.parse import urlencode

import requests
import schemathesis

BASE = os.environ["FUZZ_URL"]
PROVIDER = os.environ["FUZZ_PROVIDER_URL"]
PASSWORD = "a pass phrase that is not in the document"
# Operations that end sessions or change credentials. They use accounts of their own.
ENDING = {
    "POST /auth/logout",
    "POST /auth/me/delete",
    "POST /auth/me/email",
    "POST /auth/me/password",
    "POST /auth/sessions/{id}/revoke",
    "POST /auth/sessions/revoke-others",
}
# A stream without an end: only its refusals are fuzzed.
ENDLESS = "GET /conversations/{id}/events"
# The document describes the events of this call, and the JSON of the others that start a reply.
STREAMING = "POST /conversations/{id}/messages"

accounts = count()


def post(path, body, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(BASE + path, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def register():
    name = f"fuzz-{os.getpid()}-{next(accounts)}"
    return post("/auth/register", {"username": name, "email": f"{name}@example.com", "password": PASSWORD})


def login(user):
    return post("/auth/login", {"email": user["email"], "password": PASSWORD})["access_token"]


def new_token():
    return login(register())


def new_admin_token():
    user = register()
    subprocess.run(["node", os.environ["FUZZ_ADMIN_COMMAND"], "grant", user["email"]], check=True)
    return login(user)


class Expendable:
    """An account that calls may end. It is replaced at every tenth call after its end, because signing up is slow."""

    def __init__(self):
        self.current = new_token()
        self.ended = False
        self.calls = count()

    def token(self):
        if self.ended and next(self.calls) % 10 == 0:
            self.current = new_token()
            self.ended = False
        return self.current

    def end(self):
        self.ended = True


def integer(value):
    """Returns the number in a path parameter, which Schemathesis gives as a number or as text."""
    is_decimal = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value) if is_decimal else value if isinstance(value, int) else None


class Things:
    """The newest ids that exist, by the prefix of the paths that take them."""

    CREATED_BY = {
        "/auth/config/": "/auth/config/create",
        "/conversations/": "/conversations/create",
        "/files/": "/files",
        "/admin/configs/": "/admin/configs/create",
        "/admin/invitations/": "/admin/invitations",
    }

    def __init__(self):
        self.ids = {prefix: deque(maxlen=20) for prefix in self.CREATED_BY}
        self.messages = {}

    def note(self, path, body):
        for prefix, creator in self.CREATED_BY.items():
            if path == creator:
                self.ids[prefix].append(body["id"])
        if "user_message" in body:
            message = body["user_message"]
            pair = [message["id"], body["assistant_message"]["id"]]
            self.messages[message["conversation_id"]] = pair

    def choose(self, path, parameters):
        number = integer(parameters["id"])
        if number is None:
            return parameters
        if path.startswith("/admin/users/"):
            # Never one of the accounts that make the calls.
            return {**parameters, "id": users[number % len(users)] if number % 3 else number + 10**12}
        ids = next((ids for prefix, ids in self.ids.items() if path.startswith(prefix)), ())
        if not ids or number % 3 == 0:
            return parameters
        chosen = {**parameters, "id": ids[number % len(ids)]}
        messages = self.messages.get(chosen["id"])
        message = integer(parameters.get("message_id"))
        if messages and message is not None:
            chosen["message_id"] = messages[message % 2]
        return chosen


admin = new_admin_token()
expendable = Expendable()
users = [register()["id"] for _ in range(20)]
things = Things()


def token_for(operation, token):
    if operation.path.startswith("/admin/"):
        return admin
    return expendable.token() if operation.label in ENDING else token


@schemathesis.auth(refresh_interval=1800)
class Account:
    def get(self, case, context):
        return new_token()

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token_for(case.operation, data)}"}


def is_outside(url):
    """Whether the server would connect to the URL. Others stay, because their refusal is fuzzed too."""
    return isinstance(url, str) and re.match(r"\s*https?:", url, re.IGNORECASE) is not None


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Removes the schemas of event streams, which Schemathesis would apply to each event."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                response.get("content", {}).get("text/event-stream", {}).pop("schema", None)


def is_lenient(case):
    """Whether the API accepts what JSON Schema forbids: unknown and empty query parameters, and null for an absent member."""
    query = case.query if isinstance(case.query, dict) else {}
    unknown = any(name.startswith("x-schemathesis") for name in query)
    null = isinstance(case.body, dict) and None in case.body.values()
    return unknown or null or "" in query.values()


def is_too_long(case):
    """Whether Node's parser refuses the request line (431) before an operation is known."""
    return len(urlencode(case.query or {})) > 10_000


@schemathesis.hook
def filter_case(context, case):
    return not is_lenient(case) and not is_too_long(case)


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters
    if case.operation.label == ENDLESS and integer(parameters.get("id")) is not None:
        parameters["id"] = integer(parameters["id"]) + 10**12
    elif parameters and "id" in parameters:
        case.path_parameters = things.choose(case.operation.path, parameters)
    if isinstance(case.body, dict) and is_outside(case.body.get("model_url")):
        case.body["model_url"] = PROVIDER
    if case.operation.label == STREAMING:
        case.headers = {**(case.headers or {}), "Accept": "text/event-stream"}


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.label in ENDING and response.status_code < 300:
        expendable.end()
    is_json = response.headers.get("content-type", [""])[0].startswith("application/json")
    if response.status_code in (200, 201) and is_json and case.method.upper() == "POST":
        things.note(case.operation.path, response.json())
