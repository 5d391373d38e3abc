/** Usage of the built server (`npm run build`), whose provider fails and whose nodes are killed. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { setTimeout as delay } from 'node:timers/promises';
import { startTestNodes, type TestNode, type TestNodes } from '../support/app/process.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { until } from '../support/infrastructure/until.js';
import {
  type CompletionBody,
  cut,
  errorEvent,
  finish,
  noDone,
  pause,
  type Refusal,
  type Script,
  stall,
  usage,
} from '../support/provider/provider.js';

/** A run starts and kills servers, so it takes as long as many runs of other properties. */
const RUNS = Math.ceil(Number(process.env.PROPERTY_RUNS ?? 1) / 30);
const USERS = 3;
const CONVERSATIONS = 4;
const MODELS = ['first-model', 'second-model'];
/** SQLite has one node at a time. */
const NODES = process.env.TEST_MYSQL_URL ? 2 : 1;
/** Tokens that the provider reports for a title, which replies never reach together. */
const TITLE_TOKENS = 10_000_000;

const ENV = { RETRY_INTERRUPTED: 'true', SHUTDOWN_GRACE_S: '0' };

interface Action {
  kind: 'send' | 'regenerate' | 'stop';
  user: number;
  conversation: number;
  afterMs: number;
  plan: Plan;
}

/** The provider's reply, as JSON in the user's message. */
interface Plan {
  ending: 'whole' | 'uncounted' | 'cut' | 'error' | 'refused' | 'second try' | 'held';
  ms: number;
  tokens: number;
}

interface Round {
  actions: Action[];
  killAfterMs: number;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  ending: fc.constantFrom('whole', 'whole', 'uncounted', 'cut', 'error', 'refused', 'second try'),
  ms: fc.nat(200),
  tokens: fc.integer({ min: 1, max: 1000 }),
});
const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom('send', 'send', 'send', 'regenerate', 'stop'),
  user: fc.nat(USERS - 1),
  conversation: fc.nat(CONVERSATIONS - 1),
  afterMs: fc.nat(600),
  plan,
});
const rounds: fc.Arbitrary<Round[]> = fc.array(
  fc.record({
    actions: fc.array(action, { minLength: 20, maxLength: 40 }),
    killAfterMs: fc.integer({ min: 300, max: 700 }),
  }),
  { minLength: 2, maxLength: 2 },
);

let t: TestNodes;
/** Number of requests by the user's message. */
const tries = new Map<string, number>();

beforeAll(async () => {
  t = await startTestNodes();
  t.provider.title = ['A title', finish('stop'), used(TITLE_TOKENS)];
  t.provider.refuse = (body) => refusalOf(contentOf(body));
  t.provider.onRequest = (body) => scriptOf(contentOf(body));
});
afterAll(() => t.stop());

const used = (tokens: number) => usage({ prompt_tokens: tokens, completion_tokens: 2 * tokens });
const planOf = (content: string) => (content ? (JSON.parse(content) as Plan) : undefined);
/** The last plan, since the prompt joins user messages without a reply; empty for titles. */
const contentOf = ({ messages }: CompletionBody) =>
  /\{[^{}]*\}$/.exec(messages?.at(-1)?.content ?? '')?.[0] ?? '';

function refusalOf(content: string): Refusal | undefined {
  const count = (tries.get(content) ?? 0) + 1;
  tries.set(content, count);
  const ending = planOf(content)?.ending;
  if (ending === 'refused') return [401, { error: { message: 'No such key' } }];
  return ending === 'second try' && count === 1 ? [503, 'Busy', { 'Retry-After': '0' }] : undefined;
}

function scriptOf(content: string): Script | undefined {
  const made = planOf(content);
  if (!made) return undefined;
  const text: Script = ['The text ', pause(made.ms), 'of a reply.'];
  if (made.ending === 'held' && tries.get(content) === 1) return ['Held ', stall()];
  if (made.ending === 'cut') return [...text, cut()];
  if (made.ending === 'error') return [...text, errorEvent({ message: 'Too bad' }), noDone()];
  if (made.ending === 'uncounted') return [...text, finish('stop'), noDone()];
  return [...text, finish('stop'), used(made.tokens)];
}

/** Users with conversations, at nodes that are killed and replaced. */
class World {
  private nodes: TestNode[] = [];
  private users: TestUser[] = [];
  private readonly conversations: number[][] = [];
  private count = 0;

  async start(): Promise<void> {
    this.nodes = await Promise.all(Array.from({ length: NODES }, () => t.start(ENV)));
    const create = () => this.nodes[0]!.user().withConfig(t.provider, { model_name: MODELS[0] }).create();
    this.users = await Promise.all(Array.from({ length: USERS }, create));
    for (const user of this.users) this.conversations.push(await this.createConversations(user));
  }

  async run({ actions, killAfterMs }: Round): Promise<void> {
    const calls = actions.map((each) => this.perform(each).catch(() => undefined));
    const held = await this.hold();
    await delay(killAfterMs);
    const node = this.nodes.shift()!;
    await node.kill();
    this.nodes.push(await t.start(ENV));
    await Promise.all([...calls, ...this.stopAtOnce(held)]);
  }

  /** Waits for the recovery of all replies, and shuts the nodes down during others. */
  async end(): Promise<void> {
    const running = () => t.query('SELECT id FROM messages WHERE streaming_in IS NOT NULL');
    await until(async () => (await running()).length === 0, 20_000);
    await this.sendForTitle();
    await this.hold();
    this.nodes.forEach((node) => node.process.signal('SIGTERM'));
    await Promise.all(this.nodes.map((node) => node.process.exited));
  }

  /** Kills may have ended all requests for titles. */
  private async sendForTitle(): Promise<void> {
    const user = this.users[0]!.on(this.nodes[0]!);
    const { id } = await user.createConversation();
    await user.send(id, this.contentOf({ ending: 'whole', ms: 0, tokens: 5 }));
    await until(async () => (await user.get<Thing>(`/conversations/${id}`)).body.title === 'A title');
  }

  /** Half of the conversations have no title yet, and half use the second model. */
  private async createConversations(user: TestUser): Promise<number[]> {
    const other = { model_url: t.provider.url, model_name: MODELS[1], api_key: 'sk-test' };
    const { body } = await user.post<{ id: number }>('/auth/config/create', other);
    const ids: number[] = [];
    for (let n = 0; n < CONVERSATIONS; n++) {
      const options = { ...(n % 2 && { title: 'Counted' }), ...(n > 1 && { config_id: body.id }) };
      ids.push((await user.createConversation(options)).id);
    }
    return ids;
  }

  private async perform({ kind, user, conversation, afterMs, plan }: Action): Promise<void> {
    await delay(afterMs);
    const at = this.at(user);
    const id = this.conversations[user]![conversation]!;
    if (kind === 'send') await at.send(id, this.contentOf(plan));
    else if (kind === 'stop') await at.post(`/conversations/${id}/stop`);
    else await this.regenerate(at, id);
  }

  private async regenerate(user: TestUser, id: number): Promise<void> {
    const reply = (await user.history(id)).at(-1);
    if (reply?.role !== 'assistant') return;
    await user.post(`/conversations/${id}/messages/${reply.id}/regenerate`, {}, JSON_ANSWER);
  }

  /** Starts a reply of each user at the node that is killed next, which does not end there. */
  private async hold(): Promise<[user: number, conversation: number][]> {
    return Promise.all(
      this.users.map(async (user, n): Promise<[number, number]> => {
        const { id } = await user.on(this.nodes[0]!).createConversation({ title: 'Held' });
        const content = this.contentOf({ ending: 'held', ms: 0, tokens: 5 });
        void user
          .on(this.nodes[0]!)
          .send(id, content)
          .catch(() => undefined);
        await until(() => tries.has(content));
        return [n, id];
      }),
    );
  }

  /** Stops the replies of the first half by several requests at once; the others are recovered. */
  private stopAtOnce(held: [user: number, conversation: number][]): Promise<unknown>[] {
    return held
      .slice(0, Math.ceil(USERS / 2))
      .flatMap(([user, id]) =>
        Array.from({ length: 6 }, () => this.at(user).post(`/conversations/${id}/stop`)),
      );
  }

  private at(user: number): TestUser {
    return this.users[user]!.on(this.nodes[this.count++ % this.nodes.length]!);
  }

  private contentOf(plan: Plan): string {
    return JSON.stringify({ ...plan, number: this.count++ });
  }
}

const JSON_ANSWER = { Accept: 'application/json' };

interface Row {
  date: string;
  user_id: number;
  model_name: string;
  config_id: number;
  replies: number;
  prompt_tokens: number;
  completion_tokens: number;
}

/** Sums by the names of the key; the tokens of titles are left out. */
function sumsOf(rows: Row[], key: (row: Row) => unknown[]): Record<string, number[]> {
  const sums: Record<string, number[]> = {};
  for (const row of rows) {
    const sum = (sums[key(row).join(' ')] ??= [0, 0, 0]);
    sum[0]! += Number(row.replies);
    sum[1]! += Number(row.prompt_tokens) % TITLE_TOKENS;
    sum[2]! += Number(row.completion_tokens) % TITLE_TOKENS;
  }
  return sums;
}

const storedReplies = () =>
  t.query<Row & { attempt: number; status: string }>(
    `SELECT SUBSTR(completed_at, 1, 10) AS date, user_id, model_name, config_id, 1 AS replies, prompt_tokens,
     completion_tokens, attempt, status FROM messages WHERE role = 'assistant'`,
  );

it('usage is exact after failures, stops, crashes and retries', async () => {
  const property = fc.asyncProperty(rounds, async (given) => {
    const world = new World();
    await world.start();
    for (const round of given) await world.run(round);
    await world.end();

    const replies = await storedReplies();
    const usageRows = await t.query<Row>('SELECT * FROM daily_usage');
    const byConfig = (row: Row) => [row.date, row.user_id, row.model_name, row.config_id];
    const ofUsers = usageRows.filter((row) => Number(row.user_id) > 0);
    expect(sumsOf(ofUsers, byConfig)).toEqual(sumsOf(replies, byConfig));
    const byModel = (row: Row) => [row.date, row.model_name];
    const ofAll = usageRows.filter((row) => Number(row.user_id) < 0);
    expect(sumsOf(ofAll, byModel)).toEqual(sumsOf(replies, byModel));

    const titles = (rows: Row[]) =>
      rows.reduce((sum, row) => sum + Math.floor(Number(row.prompt_tokens) / TITLE_TOKENS), 0);
    expect(titles(ofUsers)).toBeGreaterThan(0);
    expect(titles(ofAll)).toBe(titles(ofUsers));
    const statuses = new Set(replies.map(({ status }) => status));
    expect([...statuses].sort()).toEqual(['complete', 'failed', 'interrupted', 'stopped']);
    expect(replies.some(({ attempt }) => attempt > 1)).toBe(true);
  });
  const seed = process.env.PROPERTY_SEED ? { seed: Number(process.env.PROPERTY_SEED) } : {};
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true, ...seed });
}, 120_000);
