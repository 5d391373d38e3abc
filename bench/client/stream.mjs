import { TokenChecker } from '../support/tokens.mjs';

/** One reply as received over any transport; verifies its text token by token and as a whole. */
export class Stream {
  tokens = new TokenChecker();
  sentAt = 0;
  firstTextMs = 0;
  failure = null;
  length = 0;
  #text = [];

  /** @param {object} peer user of the stream @param {(time: string) => void} onToken */
  constructor(url, peer, onToken) {
    this.url = url;
    this.peer = peer;
    this.onToken = onToken;
    this.begun = new Promise((resolve) => (this.markBegun = resolve));
    this.ended = new Promise((resolve, reject) => {
      this.resolveEnded = resolve;
      this.fail = (error) => {
        this.failure ??= error;
        reject(error);
      };
    });
    this.ended.catch(() => this.markBegun());
  }

  /** Connects without requesting a reply. */
  async connect() {}

  start() {
    this.sentAt = performance.now();
    this.send();
  }

  close() {}

  /** @param offset position of the text, if the transport has it */
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

  /** @param whole the server's complete text, if the transport has it */
  end(whole) {
    const text = this.#text.join('');
    if (whole !== undefined && whole !== text) this.fail(new Error('the whole is not what came in pieces'));
    this.tokens.end();
    this.resolveEnded();
  }
}

/** Applies Parley's events to a stream, for every transport. */
export function applyEvent(stream, type, body) {
  if (type === 'message.delta') stream.receive(body.text, body.offset);
  else if (type === 'message.completed') {
    const { status, content } = body.message;
    if (status === 'complete') stream.end(content);
    else stream.fail(new Error(`the reply is ${status}: ${JSON.stringify(body.message.error)}`));
  }
}
