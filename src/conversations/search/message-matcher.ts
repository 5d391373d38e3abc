import { setImmediate as nextTurn } from 'node:timers/promises';
import { Repository } from 'typeorm';
import { type FoldedPiece, foldPieces, sourceIndex } from '../../common/text/folded-pieces.js';
import { Message } from '../messages/message.entity.js';

/** How much of a message is read with others; the rest of a longer one by itself. */
export const READ_CHARACTERS = 8000;
const SNIPPET_CHARACTERS = 160;
/** How much of a snippet goes before what was found. */
const LEAD_CHARACTERS = 60;
/** For so long it works before the process looks at what else there is. */
const TURN_MS = 3;

export interface MatchedRow {
  id: number | string;
  beginning: string;
}

export interface Hit {
  id: number | string;
  snippet: string;
}

/** Tells which messages have a text, the same on every database, and lets the process do other things meanwhile. */
export class MessageMatcher {
  private turnBegan = 0;

  constructor(private readonly messages: Repository<Message>) {}

  /** @param key folded text; @returns the first ones that have it */
  async match(rows: MatchedRow[], key: string, limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (const { id, beginning } of rows) {
      const snippet = await this.snippetOf(Number(id), beginning, key);
      if (snippet !== null) hits.push({ id, snippet });
      if (hits.length === limit) break;
    }
    return hits;
  }

  private async snippetOf(id: number, beginning: string, key: string): Promise<string | null> {
    const snippet = await this.find(beginning, key);
    if (snippet !== null || beginning.length < READ_CHARACTERS) return snippet;
    const message = await this.messages.findOne({ select: { id: true, content: true }, where: { id } });
    return message && this.find(message.content, key);
  }

  private async find(text: string, key: string): Promise<string | null> {
    const pieces: FoldedPiece[] = [];
    for (const piece of foldPieces(text)) {
      pieces.push(piece);
      if (performance.now() - this.turnBegan > TURN_MS) await this.giveWay();
    }
    const at = pieces
      .map(({ folded }) => folded)
      .join('')
      .indexOf(key);
    return at === -1 ? null : snippetAt(text, sourceIndex(pieces, at));
  }

  private async giveWay(): Promise<void> {
    await nextTurn();
    this.turnBegan = performance.now();
  }
}

/** Counts code points, of which each is at most two code units. */
function snippetAt(text: string, at: number): string {
  const before = Array.from(text.slice(Math.max(0, at - 2 * LEAD_CHARACTERS), at)).slice(-LEAD_CHARACTERS);
  const after = Array.from(text.slice(at, at + 2 * SNIPPET_CHARACTERS));
  return [...before, ...after].slice(0, SNIPPET_CHARACTERS).join('').toWellFormed();
}
