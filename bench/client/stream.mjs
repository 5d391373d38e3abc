import { TokenChecker } from '../support/tokens.mjs';

/** One reply as a client gets it, over whichever transport: its text is checked token by token, and as a whole. */
export class Stream {
  tokens = new TokenChecker();
  sentAt = 0;
  firstTextMs = 0;
  #text = [];

  /** @param {object} peer whom the stream is for @param {(time: string) => void} onToken */
  constructor(url, peer, onToken) {
    this.url = url;
    this.peer = peer;
    this.onToken = onToken;
    this.begun = new Promise((resolve) => (this.markBegun = resolve));
    this.ended = new Promise((resolve, reject) =>
      Object.assign(this, { resolveEnded: resolve, fail: reject }),
    );
    this.ended.catch(() => this.markBegun());
  }

  /** Connects as far as that goes without asking for a reply. */
  async connect() {}

  start() {
    this.sentAt = performance.now();
    this.send();
  }

  close() {}

  /** @param offset where the text belongs, where the transport says so */
  receive(text, offset) {
    if (this.#text.length === 0) {
      this.firstTextMs = performance.now() - this.sentAt;
      this.markBegun();
    }
    if (offset !== undefined && offset !== this.length) this.fail(new Error(`a gap at ${this.length}`));
    this.length += text.length;
    this.#text.push(text);
    try {
      this.tokens.take(text, this.onToken);
    } catch (error) {
      this.fail(error);
    }
  }

  length = 0;

  /** @param whole the text as the server has it, where it says so */
  end(whole) {
    const text = this.#text.join('');
    if (whole !== undefined && whole !== text) this.fail(new Error('the whole is not what came in pieces'));
    this.tokens.end();
    this.resolveEnded();
  }
}

/** What Parley's events do to a stream, on every transport alike. */
export function applyEvent(stream, type, body) {
  if (type === 'message.delta') stream.receive(body.text, body.offset);
  else if (type === 'message.completed') {
    const { status, content } = body.message;
    if (status === 'complete') stream.end(content);
    else stream.fail(new Error(`the reply is ${status}: ${JSON.stringify(body.message.error)}`));
  }
}
