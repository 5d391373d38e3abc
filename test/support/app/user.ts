import { randomBytes } from 'node:crypto';
import { HttpClient, type Answer, type Thing } from '../clients/http.js';
import type { PlayedProvider } from '../provider/provider.js';
import { SocketClient } from '../clients/socket.js';
import { SseReader } from '../clients/sse.js';
import { WebSocketClient, type WebSocketOptions } from '../clients/websocket.js';

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** Environment that test users are created in. */
export interface Surroundings {
  url(): string;
  /** Registers a connection to be closed with the test's server. */
  opened<T extends { close(): Promise<void> }>(connection: T): T;
}

/** Signed-in user with clients for all transports. */
export class TestUser extends HttpClient {
  tokens!: Tokens;
  id = 0;
  /** The configuration made by `withConfig`. */
  configId?: number;

  constructor(
    private readonly around: Surroundings,
    readonly username: string,
    readonly email: string,
    readonly password: string,
  ) {
    super(
      () => around.url(),
      (): Record<string, string> =>
        this.tokens ? { Authorization: `Bearer ${this.tokens.access_token}` } : {},
    );
  }

  /** The same login at another node. */
  on(node: { url: string }): TestUser {
    const { username, email, password, tokens, id, configId } = this;
    const around = { ...this.around, url: () => node.url };
    return Object.assign(new TestUser(around, username, email, password), { tokens, id, configId });
  }

  /** Another login of the same user: a second device. */
  async signInAgain(password = this.password): Promise<TestUser> {
    const { email } = this;
    const device = new TestUser(this.around, this.username, email, password);
    device.id = this.id;
    device.tokens = await expectOk(
      new HttpClient(() => this.around.url()).post('/auth/login', { email, password }),
    );
    return device;
  }

  createConversation(body: object = {}): Promise<Thing> {
    return expectOk(this.post('/conversations/create', body));
  }

  /** The messages of the active branch, oldest first. */
  async history(conversationId: number, query = '?limit=200'): Promise<Thing[]> {
    const page = await expectOk<{ messages: Thing[] }>(this.get(`/conversations/${conversationId}${query}`));
    return page.messages;
  }

  /** Chats over JSON; resolves once the reply has ended. */
  send(conversationId: number, content: string, extra: object = {}): Promise<Answer<ChatAnswer>> {
    return this.post(
      `/conversations/${conversationId}/chat`,
      { content, ...extra },
      { Accept: 'application/json' },
    );
  }

  async upload(content: string | Buffer, name = 'notes.txt'): Promise<Thing> {
    const form = new FormData();
    form.append('file', new Blob([content]), name);
    const headers = { Authorization: `Bearer ${this.tokens.access_token}` };
    const response = await fetch(`${this.baseUrl()}/files`, { method: 'POST', headers, body: form });
    const body = await response.text();
    if (response.status !== 201) throw new Error(body);
    return JSON.parse(body) as Thing;
  }

  /** Opens an event stream; sends a POST if there is a body. */
  async sse(path: string, body?: object, headers: Record<string, string> = {}): Promise<SseReader> {
    const all = { Accept: 'text/event-stream', ...headers };
    const method = body === undefined ? 'GET' : 'POST';
    return this.around.opened(await SseReader.open((signal) => this.fetch(method, path, body, all, signal)));
  }

  /** Socket.IO client that connects by itself; commands wait for the connection. */
  socket(options?: ConstructorParameters<typeof SocketClient>[2]): SocketClient {
    return this.around.opened(new SocketClient(this.baseUrl(), this.tokens.access_token, options));
  }

  /** Socket.IO client that requests connection state recovery. */
  recoveringSocket(options: ConstructorParameters<typeof SocketClient>[2] = {}): SocketClient {
    return this.socket({ ...options, auth: { token: this.tokens.access_token, recovery: true } });
  }

  ws(conversationId: number | string, options: WebSocketOptions = {}): WebSocketClient {
    const url = `${this.baseUrl()}/conversations/ws/${conversationId}`;
    return this.around.opened(new WebSocketClient(url, { token: this.tokens.access_token, ...options }));
  }
}

export interface ChatAnswer {
  user_message: Thing;
  assistant_message: Thing;
  [member: string]: unknown;
}

/** `await t.user().withConfig(t.provider).create()` */
export class UserBuilder {
  private provider?: PlayedProvider;
  private config: object = {};

  constructor(private readonly around: Surroundings) {}

  /** Creates a model configuration at the provider. */
  withConfig(provider: PlayedProvider, config: object = {}): this {
    this.provider = provider;
    this.config = config;
    return this;
  }

  async create(): Promise<TestUser> {
    const name = `u${randomBytes(6).toString('hex')}`;
    const user = new TestUser(
      this.around,
      name,
      `${name}@example.com`,
      `pass-${randomBytes(8).toString('hex')}`,
    );
    const { username, email, password } = user;
    user.id = (await expectOk<Thing>(user.post('/auth/register', { username, email, password }))).id;
    user.tokens = await expectOk<Tokens>(user.post('/auth/login', { email, password }));
    if (this.provider) {
      const config = {
        model_url: this.provider.url,
        model_name: 'test-model',
        api_key: 'sk-test',
        ...this.config,
      };
      user.configId = (await expectOk<Thing>(user.post('/auth/config/create', config))).id;
    }
    return user;
  }
}

async function expectOk<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`The test's set-up failed: ${status} ${JSON.stringify(body)}`);
  return body;
}
