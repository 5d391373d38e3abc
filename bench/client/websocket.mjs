import { WebSocket } from 'ws';
import { applyEvent, Stream } from './stream.mjs';

export class ParleyWebSocketStream extends Stream {
  connect() {
    const { token, conversationId } = this.peer;
    this.socket = new WebSocket(`${this.url.replace('http', 'ws')}/conversations/ws/${conversationId}`, {
      perMessageDeflate: false,
      headers: { Authorization: `Bearer ${token}` },
    });
    return new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      this.socket.on('close', (code) => {
        const error = new Error(`the socket was closed: ${code}`);
        reject(error);
        this.fail(error);
      });
      this.socket.on('message', (data) => this.#read(JSON.parse(String(data)), resolve));
    });
  }

  send() {
    this.socket.send('{"type":"chat.send","id":1,"content":"Tell me a story."}');
  }

  close() {
    this.socket.terminate();
  }

  #read({ type, ...body }, connected) {
    if (type === 'conversation.snapshot') connected();
    else if (type === 'ack') this.#onAck(body);
    else applyEvent(this, type, body);
  }

  /** The conversation is open from the start; earlier text has already arrived. */
  #onAck({ ok, error }) {
    if (!ok) this.fail(new Error(JSON.stringify(error)));
  }
}
