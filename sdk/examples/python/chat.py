"""A streaming chat in the terminal, with python-socketio (pip install -r requirements.txt).

    PARLEY_EMAIL=ada@example.com PARLEY_PASSWORD=… python chat.py "What is a monad?"
"""

import asyncio
import os
import sys
import time
import uuid

import aiohttp
import socketio

SERVER = os.environ.get("PARLEY_URL", "http://localhost:3000")
NAMESPACE = "/chat"


class Session:
    """Access tokens, refreshed before they expire."""

    def __init__(self, http):
        self.http = http

    async def post(self, path, body, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.post(SERVER + path, json=body, headers=headers) as response:
            answer = await response.json()
        if response.status >= 400:
            raise RuntimeError(f"{answer['code']}: {answer['detail']}")
        return answer

    async def login(self, email, password):
        self.keep(await self.post("/auth/login", {"email": email, "password": password}))

    async def refresh(self):
        self.keep(await self.post("/auth/refresh", {"refresh_token": self.tokens["refresh_token"]}))
        return self.tokens["access_token"]

    def keep(self, tokens):
        self.tokens = tokens
        self.expires_at = time.monotonic() + tokens["expires_in"]

    async def access_token(self):
        return await self.refresh() if time.monotonic() > self.expires_at - 30 else self.tokens["access_token"]

    async def handshake(self):
        return {"token": await self.access_token()}


def apply_delta(part, offset, text):
    """Offsets count UTF-16 code units of two bytes. Returns None where text is missing before the offset."""
    encoded = part.encode("utf-16-le")
    if 2 * offset > len(encoded):
        return None
    return encoded[: 2 * offset].decode("utf-16-le") + text


class Chat:
    """One conversation over Socket.IO. Unlike Client, AsyncClient calls handlers in the order of the events."""

    def __init__(self, session, conversation_id):
        self.session, self.conversation_id = session, conversation_id
        self.messages, self.unsent, self.printed = {}, [], 0
        self.completed = asyncio.Event()
        self.socket = socketio.AsyncClient(reconnection=False)
        on = self.socket.on
        # connect() waits until this handler has returned.
        on("connect", lambda: asyncio.ensure_future(self.open()) and None, namespace=NAMESPACE)
        for event in ("created", "restarted", "completed"):
            on(f"message.{event}", lambda body: self.show(body["message"]), namespace=NAMESPACE)
        on("message.delta", self.apply, namespace=NAMESPACE)
        on("session.expiring", self.renew, namespace=NAMESPACE)

    async def run(self):
        """Connects again whenever the connection was lost, refused or closed."""
        while True:
            try:
                await self.socket.connect(SERVER, auth=self.session.handshake, namespaces=[NAMESPACE])
                await self.socket.wait()
            except (socketio.exceptions.SocketIOError, aiohttp.ClientError):
                await asyncio.sleep(1)

    async def open(self):
        """Runs after each reconnect too: the page has what was missed, the deltas follow it."""
        request = {"conversation_id": self.conversation_id}
        await self.call("conversation.open", request, lambda page: self.show_all(page["messages"]))
        await asyncio.gather(*map(self.deliver, self.unsent))

    async def send(self, content):
        message = dict(conversation_id=self.conversation_id, content=content, client_message_id=str(uuid.uuid4()))
        self.unsent.append(message)
        await self.deliver(message)

    async def deliver(self, message):
        """Repeats the message until it is acknowledged: its client_message_id never makes a second one."""
        while message in self.unsent and self.socket.connected:
            answer = await self.call("chat.send", message, lambda turn: self.show_all(turn.values()))
            if answer is None or message not in self.unsent:
                continue
            if answer["ok"]:
                self.unsent.remove(message)
            elif answer["error"]["status"] in (429, 503):
                await asyncio.sleep(5)
            else:
                raise RuntimeError(answer["error"]["detail"])

    async def call(self, command, body, on_data=lambda data: None):
        """on_data runs before later events are handled; a task that awaits the answer resumes after them.

        Returns None without an acknowledgement in time.
        """
        answered = asyncio.get_running_loop().create_future()

        def acknowledge(answer):
            if answer["ok"]:
                on_data(answer["data"])
            if not answered.done():
                answered.set_result(answer)

        try:
            await self.socket.emit(command, body, namespace=NAMESPACE, callback=acknowledge)
            return await asyncio.wait_for(answered, timeout=10)
        except (asyncio.TimeoutError, socketio.exceptions.BadNamespaceError):
            return None

    async def renew(self, _body):
        await self.call("auth.refresh", {"token": await self.session.refresh()})

    async def apply(self, delta):
        message = self.messages.get(delta["message_id"])
        text = message and apply_delta(message[delta["part"]], delta["offset"], delta["text"])
        if text is None:
            return await self.open()
        self.show({**message, delta["part"]: text})

    def show_all(self, messages):
        for message in messages:
            self.show(message)

    def show(self, message):
        if message["conversation_id"] != self.conversation_id:
            return
        self.messages[message["id"]] = message
        if message["role"] == "assistant":
            print(message["content"][self.printed :], end="", flush=True)
            self.printed = len(message["content"])
            if message["status"] != "streaming":
                self.completed.set()


async def main():
    async with aiohttp.ClientSession() as http:
        session = Session(http)
        await session.login(os.environ["PARLEY_EMAIL"], os.environ["PARLEY_PASSWORD"])
        conversation = await session.post("/conversations/create", {}, await session.access_token())
        chat = Chat(session, conversation["id"])
        connection = asyncio.create_task(chat.run())
        await chat.send(" ".join(sys.argv[1:]))
        await chat.completed.wait()
        await chat.socket.disconnect()
        connection.cancel()


asyncio.run(main())
