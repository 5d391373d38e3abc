import { WebSocket } from 'ws';
import { applyEvent, Stream } from './stream.mjs';

/** Minimal Socket.IO protocol over WebSocket: the official client uses several times the CPU. */
class SocketIoStream extends Stream {
  namespace = '';

  connect() {
    this.socket = new WebSocket(`${this.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
    });
    return new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      this.socket.on('close', () => {
        const error = new Error('the socket was closed');
        reject(error);
        this.fail(error);
      });
      this.socket.on('message', (data) => this.#read(String(data), resolve, reject));
    });
  }

  emit(event, body) {
    this.socket.send(`42${this.namespace}0${JSON.stringify([event, body])}`);
  }

  close() {
    this.socket.terminate();
  }

  #read(packet, connected, refused) {
    const type = packet.slice(0, 2);
    if (packet === '2') this.socket.send('3');
    else if (type[0] === '0')
      this.socket.send(`40${this.namespace}${JSON.stringify({ token: this.peer.token })}`);
    else if (type === '40') connected();
    else if (type === '44') refused(new Error(packet));
    else if (type === '42') this.onEvent(...JSON.parse(packet.slice(packet.indexOf('['))));
    else if (type === '43') this.onAck(JSON.parse(packet.slice(packet.indexOf('[')))[0]);
  }

  onAck() {}
}

export class ParleySocketIoStream extends SocketIoStream {
  namespace = '/chat,';

  send() {
    this.emit('chat.send', { conversation_id: this.peer.conversationId, content: 'Tell me a story.' });
  }

  onEvent(type, body) {
    applyEvent(this, type, body);
  }

  /** The reply may already have started. */
  onAck({ ok, error, data }) {
    if (!ok) this.fail(new Error(JSON.stringify(error)));
    else if (data.assistant_message.content) this.receive(data.assistant_message.content, 0);
  }
}

export class PlainSocketIoStream extends SocketIoStream {
  send() {
    this.emit('chat', { model: this.peer.model, content: 'Tell me a story.' });
  }

  onEvent(type, text) {
    if (type !== 'token') this.end();
    else if (text) this.receive(text);
  }
}

/** Listens on one node to a reply requested from another over HTTP. */
export class OtherNodeStream extends ParleySocketIoStream {
  async connect() {
    await super.connect();
    this.emit('conversation.open', { conversation_id: this.peer.conversationId });
    await new Promise((resolve) => (this.onAck = resolve));
  }

  send() {
    const { token, conversationId, replyUrl } = this.peer;
    fetch(`${replyUrl}/conversations/${conversationId}/chat`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: '{"content":"Tell me a story."}',
    }).catch(this.fail);
  }
}

/** Connects and stays idle. */
export class BareSocketIoStream extends SocketIoStream {}
