/** How the provider ends a reply or fails before it. */
export type Ending = 'whole' | 'cut' | 'error' | 'refused' | 'limited' | 'second try';

/** A reply as the provider plays it. */
export interface ReplyPlan {
  /** Whether the provider waits between the two halves of the text. */
  held: boolean;
  reasoning: string;
  before: string;
  after: string;
  ending: Ending;
}

export interface ModelMessage {
  id: number;
  parentId: number | null;
  role: 'user' | 'assistant';
  content: string;
  reasoning: string;
  status: string;
  clientMessageId: string | null;
}

export type Request =
  | { kind: 'send'; content: string; clientMessageId?: string }
  | { kind: 'edit'; messageId: number; content: string; clientMessageId?: string }
  | { kind: 'regenerate'; messageId: number };

/** Expected result of a request. */
export type Verdict =
  | { kind: 'accepted' }
  | { kind: 'repeat'; message: ModelMessage; reply: ModelMessage }
  | { kind: 'refused'; status: number; code: string };

/** Model of one conversation. */
export class ChatModel {
  readonly messages: ModelMessage[] = [];
  activeId: number | null = null;
  running: { reply: ModelMessage; plan: ReplyPlan } | null = null;
  deleted = false;
  /** Number of provider requests. */
  upstreamCalls = 0;

  judge(request: Request): Verdict {
    if (this.deleted) return refused(404, 'not_found');
    const used = request.kind !== 'regenerate' && this.usedId(request.clientMessageId);
    if (used && used.content !== request.content) return refused(409, 'client_message_id_reused');
    if (used) return { kind: 'repeat', message: used, reply: this.childrenOf(used.id)[0]! };
    if (request.kind !== 'send' && this.get(request.messageId).role !== roleFor(request.kind)) {
      return refused(409, 'wrong_role');
    }
    return this.running ? refused(409, 'reply_in_progress') : { kind: 'accepted' };
  }

  /** Applies an accepted request, under the server's ids. */
  accept(request: Request, userId: number, replyId: number, plan: ReplyPlan): void {
    if (request.kind !== 'regenerate') {
      const { content, clientMessageId = null } = request;
      const parentId = request.kind === 'send' ? this.activeId : this.get(request.messageId).parentId;
      this.messages.push({ ...BLANK, id: userId, parentId, role: 'user', content, clientMessageId });
    }
    const reply = {
      ...BLANK,
      id: replyId,
      parentId: userId,
      role: 'assistant' as const,
      content: plan.before,
    };
    this.messages.push(Object.assign(reply, { reasoning: plan.reasoning, status: 'streaming' }));
    this.running = { reply, plan };
    this.activeId = replyId;
    this.upstreamCalls += plan.ending === 'second try' ? 2 : 1;
  }

  /** Ends the running reply. */
  end(status: string, content?: string): void {
    const { reply } = this.running!;
    Object.assign(reply, { status }, content !== undefined && { content });
    this.running = null;
  }

  /** @returns the new end of the active branch */
  activate(messageId: number): number {
    const below = new Set([messageId]);
    for (const { id, parentId } of this.messages) if (below.has(parentId ?? 0)) below.add(id);
    return (this.activeId = Math.max(...below));
  }

  /** The active branch, from its first message. */
  get branch(): ModelMessage[] {
    const branch: ModelMessage[] = [];
    for (let id = this.activeId; id !== null; id = branch[0]!.parentId) branch.unshift(this.get(id));
    return branch;
  }

  /** The newest reply and the message before it. */
  get newest(): { message: ModelMessage; reply: ModelMessage } {
    const reply = this.messages.at(-1)!;
    return { message: this.get(reply.parentId!), reply };
  }

  siblingsOf({ parentId }: ModelMessage): number[] {
    return this.childrenOf(parentId).map(({ id }) => id);
  }

  get(id: number): ModelMessage {
    return this.messages.find((message) => message.id === id)!;
  }

  private childrenOf(parentId: number | null): ModelMessage[] {
    return this.messages.filter((message) => message.parentId === parentId).sort((a, b) => a.id - b.id);
  }

  private usedId(clientMessageId: string | undefined): ModelMessage | undefined {
    return clientMessageId === undefined
      ? undefined
      : this.messages.find((message) => message.clientMessageId === clientMessageId);
  }
}

const BLANK = { reasoning: '', status: 'complete', clientMessageId: null };

const roleFor = (kind: 'edit' | 'regenerate') => (kind === 'edit' ? 'user' : 'assistant');

const refused = (status: number, code: string): Verdict => ({ kind: 'refused', status, code });

/** Status and text of a reply after each ending. */
export function endOf({ ending, before, after }: ReplyPlan): { status: string; content: string } {
  if (ending === 'refused' || ending === 'limited') return { status: 'failed', content: '' };
  const failed = ending === 'cut' || ending === 'error';
  return { status: failed ? 'failed' : 'complete', content: before + after };
}
