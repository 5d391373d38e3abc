import { Agent, request } from 'node:http';
import { applyEvent, Stream } from './stream.mjs';

const agent = new Agent({ keepAlive: true });

/** A server-sent events response. */
class HttpStream extends Stream {
  post(path, headers, body) {
    const options = { method: 'POST', agent, headers: { 'Content-Type': 'application/json', ...headers } };
    this.request = request(this.url + path, options, (response) => this.#read(response));
    this.request.on('error', this.fail);
    this.request.end(JSON.stringify(body));
  }

  close() {
    this.request?.destroy();
  }

  #read(response) {
    if (response.statusCode !== 200) this.fail(new Error(`${this.url} answered ${response.statusCode}`));
    let rest = '';
    response.setEncoding('utf8').on('data', (text) => {
      const events = (rest + text).split('\n\n');
      rest = events.pop();
      for (const event of events) this.onEvent(event);
    });
  }
}

export class ParleySseStream extends HttpStream {
  send() {
    const { token, conversationId } = this.peer;
    const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' };
    this.post(`/conversations/${conversationId}/chat`, headers, { content: 'Tell me a story.' });
  }

  onEvent(event) {
    const type = /^event: (.*)$/m.exec(event)?.[1];
    if (type) applyEvent(this, type, JSON.parse(event.slice(event.indexOf('data: ') + 6)));
  }
}

export class PipeStream extends HttpStream {
  send() {
    this.post('/', {}, { model: this.peer.model, messages: [], stream: true });
  }

  onEvent(event) {
    if (event === 'data: [DONE]') this.end();
    else {
      const text = JSON.parse(event.slice('data: '.length)).choices[0]?.delta.content;
      if (text) this.receive(text);
    }
  }
}
