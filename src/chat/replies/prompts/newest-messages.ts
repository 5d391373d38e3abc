import { partsOf, type PromptContent, type PromptPart } from '../../../ai/provider/prompt-content.js';
import type { PromptMessage } from '../../../ai/provider/provider.js';
import { ProblemError } from '../../../common/errors/errors.js';
import type { StoredFile } from '../../../files/file.entity.js';
import type { BranchMessage } from './branch-reader.js';
import type { PromptFiles } from './prompt-files.service.js';
import type { TokenBudget } from './token-budget.js';

const TOO_LARGE = 'was left out to fit the context';
const UNREADABLE = 'could not be read';

/** Takes messages from the newest to older ones, as long as they fit. */
export class NewestMessages {
  /** Set once a file was left out: all older ones are left out, too. */
  private isFull = false;
  /** Set once the storage failed: each further read could wait for 10 s. */
  private isUnavailable = false;

  constructor(
    private readonly files: PromptFiles,
    private readonly budget: TokenBudget,
    private readonly prepared?: PromptPart[],
  ) {}

  async take(branch: AsyncIterable<BranchMessage>): Promise<PromptMessage[]> {
    const newest: PromptMessage[] = [];
    let isCurrent = true;
    for await (const message of branch) {
      const taken = await this.takeOne(message, isCurrent);
      isCurrent = false;
      if (taken === 'full') break;
      if (taken) newest.push(taken);
    }
    // Some providers require that the first message is the user's.
    while (newest.at(-1)?.role === 'assistant') newest.pop();
    return newest;
  }

  /** @returns null for a message without content */
  private async takeOne(
    { role, content, files }: BranchMessage,
    isCurrent: boolean,
  ): Promise<PromptMessage | 'full' | null> {
    const words = isBlank(content) ? '' : content;
    if (words === '' && files.length === 0) return null;
    if (isCurrent && this.prepared) return this.takePrepared(words, this.prepared);
    const base = {
      role,
      content: contentOf(
        files.map((file) => lineFor(file)),
        words,
      ),
    };
    if (!(await this.budget.take(base)) && !isCurrent) return 'full';
    if (files.length === 0) return base;
    return { role, content: contentOf(await this.takeFiles(files, isCurrent), words) };
  }

  /** Prepared files fit with their message. */
  private async takePrepared(words: string, prepared: PromptPart[]): Promise<PromptMessage> {
    await this.budget.take({ role: 'user', content: words });
    for (const part of prepared) await this.budget.takePart(part);
    return { role: 'user', content: contentOf(prepared, words) };
  }

  /** @returns the parts of files in their order; lines for those that are not in the prompt */
  private async takeFiles(files: StoredFile[], isCurrent: boolean): Promise<(PromptPart | string)[]> {
    const parts: (PromptPart | string)[] = [];
    for (const file of files.toReversed()) parts.unshift(await this.takeFile(file, isCurrent));
    return parts;
  }

  private async takeFile(file: StoredFile, isCurrent: boolean): Promise<PromptPart | string> {
    if (file.blobId === null) return lineFor(file);
    if (this.isFull || !mayFit(file, this.budget)) return this.leaveOut(file);
    const part = await this.read(file, isCurrent);
    if (part === null) return lineFor(file, UNREADABLE);
    return (await this.budget.takePart(part)) ? part : this.leaveOut(file);
  }

  private leaveOut(file: StoredFile): string {
    this.isFull = true;
    return lineFor(file);
  }

  /** @returns null if the file cannot be read: text goes on without it */
  private async read(file: StoredFile, isCurrent: boolean): Promise<PromptPart | null> {
    if (this.isUnavailable) return null;
    try {
      return await this.files.read(file, isCurrent);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      this.isUnavailable = true;
      return null;
    }
  }
}

/** Whether a file may fit, by its size. Those of images and PDFs say nothing about their tokens. */
export function mayFit({ width, mimeType, bytes }: StoredFile, budget: TokenBudget): boolean {
  return width !== null || mimeType === 'application/pdf' || budget.mayFit(bytes);
}

/** Names a file that is not in the prompt. */
export function lineFor({ name, deletedAt }: StoredFile, unread = TOO_LARGE): string {
  const reason = deletedAt ? 'was deleted' : unread;
  return `[The file ${JSON.stringify(name)} ${reason}.]`;
}

/** Makes a message of lines and words plain text, which every provider takes. */
function contentOf(files: (PromptPart | string)[], words: string): PromptContent {
  const lines = files.filter((each) => typeof each === 'string');
  if (lines.length === files.length) return [...lines, words].filter((text) => text !== '').join('\n\n');
  return [...files, ...partsOf(words)].map((each) => (typeof each === 'string' ? textPart(each) : each));
}

export function textPart(text: string): PromptPart {
  return { type: 'text', text };
}

/** Some providers reject messages without text. */
export function isBlank(content: string): boolean {
  return content.trim() === '';
}
