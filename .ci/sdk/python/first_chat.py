"""A first chat through the generated Python SDK. Arguments: the server's URL, a new username."""

import json
import sys

import parley_rest as parley

url, name = sys.argv[1:]
email, password = f"{name}@example.com", "correct horse battery staple"
client = parley.ApiClient(parley.Configuration(host=url))
accounts = parley.AccountsApi(client)
accounts.register(parley.Register(username=name, email=email, password=password))
tokens = accounts.login(parley.Login(email=email, password=password))
client.configuration.access_token = tokens.access_token

conversations = parley.ConversationsApi(client)
params = parley.ModelParams(temperature=0.5, stop=["END"])
conversation = conversations.create_conversation(parley.CreateConversation(params=params))
assert (conversation.params.temperature, conversation.params.stop) == (0.5, ["END"])
chat = parley.ChatApi(client)
turn = chat.send_message(conversation.id, parley.SendMessage(content="Hello 🙂"))
page = conversations.get_conversation(conversation.id)
assert [each.content for each in page.messages] == ["Hello 🙂", turn.assistant_message.content]

try:
    chat.stop_reply(conversation.id)
    raise AssertionError("Nothing runs")
except parley.exceptions.ConflictException as failure:
    assert failure.data.code == "no_reply_running"
unknown = turn.user_message.to_json().replace('"complete"', '"paused"')
assert parley.Message.from_dict(json.loads(unknown)).status == "paused"
delta = {"conversation_id": conversation.id, "message_id": 1, "part": "content", "offset": 2, "text": "🎉"}
assert parley.MessageDelta.from_dict(delta).text == "🎉"
assert parley.ChatSendAck.from_dict({"ok": True, "data": json.loads(turn.to_json())}).data == turn
print("Python:", turn.assistant_message.content.splitlines()[0])
