import { createHmac, randomUUID } from 'node:crypto';
import { insert } from './database.mjs';

const NOW = '2026-01-31 09:30:00.000';
const FUTURE = '2099-01-01 00:00:00.000';
const PASSWORD = 'correct horse battery staple';
/** First id, far above those assigned through the API. */
export const FIRST_ID = 1_000_001;

/** Signed-in users with a model configuration and conversations. */
export class Accounts {
  #lastConversation = FIRST_ID - 1;

  constructor(parley, database, secret, count) {
    this.parley = parley;
    this.database = database;
    this.secret = secret;
    this.users = Array.from({ length: count }, (_, index) => {
      const id = FIRST_ID + index;
      return { id, token: this.#token(id) };
    });
  }

  /** @param parley creates one user through its API; the others are copies in the database */
  static async create(parley, database, { secret, count, providerUrl }) {
    const accounts = new Accounts(parley, database, secret, count);
    const first = { username: 'first', email: 'first@example.com', password: PASSWORD };
    await parley.post('/auth/register', first);
    const { access_token: token } = await parley.post('/auth/login', accounts.credentials);
    const config = { model_url: providerUrl, model_name: 'none', api_key: 'sk-bench' };
    await parley.post('/auth/config/create', config, token);
    await accounts.#copyFirst();
    return accounts;
  }

  /** Signs in with a password. The other users get tokens directly. */
  get credentials() {
    return { email: 'first@example.com', password: PASSWORD };
  }

  /** Sets the model of all users, see parts/provider.mjs. */
  async setModel(name) {
    await this.database.query('UPDATE model_configs SET model_name = ?', [name]);
  }

  /** Creates an empty conversation for each of the first users. */
  async peers(count, from = 0) {
    const peers = this.users.slice(from, from + count).map(({ id, token }) => {
      return { userId: id, token, conversationId: ++this.#lastConversation };
    });
    const rows = peers.map(({ userId, conversationId }) => conversationRow(conversationId, userId));
    await insert(this.database, 'conversations', rows);
    return peers;
  }

  async #copyFirst() {
    const [user] = await this.database.query('SELECT * FROM users');
    const [config] = await this.database.query('SELECT * FROM model_configs');
    const users = this.users.map(({ id }) => ({
      ...user,
      id,
      username: `user${id}`,
      username_key: `user${id}`,
      email: `user${id}@example.com`,
      email_key: `user${id}@example.com`,
    }));
    const sessions = this.users.map(({ id }) => sessionRow(id));
    const configs = this.users.map(({ id }) => ({ ...config, id, user_id: id }));
    await insert(this.database, 'users', users);
    await insert(this.database, 'sessions', sessions);
    await insert(this.database, 'model_configs', configs);
  }

  #token(id) {
    const seconds = Math.floor(Date.now() / 1000);
    const header = { alg: 'HS256', typ: 'at+jwt' };
    const claims = { sid: id, sub: String(id), jti: randomUUID(), iss: 'parley', aud: 'parley' };
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part(header)}.${part({ ...claims, iat: seconds, exp: seconds + 3600 })}`;
    return `${signed}.${createHmac('sha256', this.secret).update(signed).digest('base64url')}`;
  }
}

function sessionRow(id) {
  const times = { created_at: NOW, last_used_at: FUTURE, expires_at: FUTURE };
  return { id, user_id: id, ...times, ip: '127.0.0.1', user_agent: 'bench' };
}

/** Has a title, so that no title request disturbs the measurement. */
export function conversationRow(id, userId) {
  return {
    id,
    user_id: userId,
    title: `Conversation ${id}`,
    title_key: `conversation ${id}`,
    title_source: 'user',
    config_id: null,
    system_prompt: null,
    params: '{}',
    pinned: 0,
    archived: 0,
    message_count: 0,
    active_message_id: null,
    created_at: NOW,
    updated_at: NOW,
  };
}
