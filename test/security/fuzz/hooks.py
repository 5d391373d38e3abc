"""What Schemathesis has to be told of Parley: who is asking, and what there is to ask for. See run.mjs."""

import os
import re
from collections import deque
from itertools import count

import requests
import schemathesis

BASE = os.environ["FUZZ_URL"]
PROVIDER = os.environ["FUZZ_PROVIDER_URL"]
PASSWORD = "a pass phrase that is not in the document"
# They end sessions, or change what it takes to begin one: they get accounts of their own, each until it is ended.
ENDING = {
    "POST /auth/logout",
    "POST /auth/me/delete",
    "POST /auth/me/email",
    "POST /auth/me/password",
    "POST /auth/sessions/{id}/revoke",
    "POST /auth/sessions/revoke-others",
}
# It has no end once it has begun, so that only what is refused can be waited for.
ENDLESS = "GET /conversations/{id}/events"
# Every other of these is asked for as a stream.
REPLYING = ("/chat", "/messages", "/regenerate", "/edit")

accounts = count()
calls = count()


def post(path, body, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(BASE + path, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def new_token():
    name = f"fuzz-{os.getpid()}-{next(accounts)}"
    email = f"{name}@example.com"
    post("/auth/register", {"username": name, "email": email, "password": PASSWORD})
    return post("/auth/login", {"email": email, "password": PASSWORD})["access_token"]


class Mortal:
    """An account whose end is no loss. Most calls come after it, as signing up anew takes a tenth of a second."""

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


class Things:
    """The newest ids of the one who asks, by what they are in a path."""

    def __init__(self):
        self.configs = deque(maxlen=20)
        self.conversations = deque(maxlen=20)
        self.messages = {}

    def note(self, path, body):
        if path == "/auth/config/create":
            self.configs.append(body["id"])
        elif path == "/conversations/create":
            self.conversations.append(body["id"])
        elif "user_message" in body:
            message = body["user_message"]
            pair = [message["id"], body["assistant_message"]["id"]]
            self.messages[message["conversation_id"]] = pair

    def choose(self, path, parameters):
        ids = self.configs if path.startswith("/auth/config/") else self.conversations
        number = parameters["id"]
        if not ids or not isinstance(number, int) or number % 3 == 0:
            return parameters
        chosen = {**parameters, "id": ids[number % len(ids)]}
        messages = self.messages.get(chosen["id"])
        if messages and isinstance(parameters.get("message_id"), int):
            chosen["message_id"] = messages[parameters["message_id"] % 2]
        return chosen


mortal = Mortal()
things = Things()


@schemathesis.auth(refresh_interval=1800)
class Account:
    def get(self, case, context):
        return new_token()

    def set(self, case, data, context):
        token = mortal.token() if case.operation.label in ENDING else data
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


def is_outside(url):
    """Whether the server would go there. What it refuses stays as it is, so that the refusal is tried."""
    return isinstance(url, str) and re.match(r"\s*https?:", url, re.IGNORECASE) is not None


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Schemathesis takes the schema of a stream for that of each event, which AsyncAPI describes."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                response.get("content", {}).get("text/event-stream", {}).pop("schema", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters
    if case.operation.label == ENDLESS and isinstance(parameters.get("id"), int):
        parameters["id"] += 10**12
    elif parameters and "id" in parameters:
        case.path_parameters = things.choose(case.operation.path, parameters)
    if isinstance(case.body, dict) and is_outside(case.body.get("model_url")):
        case.body["model_url"] = PROVIDER
    if case.operation.path.endswith(REPLYING) and next(calls) % 2:
        case.headers = {**(case.headers or {}), "Accept": "text/event-stream"}


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.label in ENDING and response.status_code < 300:
        mortal.end()
    is_json = response.headers.get("content-type", [""])[0].startswith("application/json")
    if response.status_code in (200, 201) and is_json and case.method.upper() == "POST":
        things.note(case.operation.path, response.json())
