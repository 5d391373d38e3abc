import { EntityManager, In, LessThanOrEqual, MoreThan } from 'typeorm';
import { Message } from '../../conversations/messages/message.entity.js';

/** Rows per read and ids per update. */
const PAGE = 1000;

type Link = Pick<Message, 'id' | 'parentId'>;

/**
 * Branches of a conversation's message tree, one of which is active. Ids rise from parent to child, so descendants have
 * higher ids, and the active branch is in the order of its ids.
 */
export class Branches {
  constructor(
    private readonly manager: EntityManager,
    private readonly conversationId: number,
    private readonly page = PAGE,
  ) {}

  /** Makes a message the last of the active branch; null leaves the branch empty. */
  async endAt(messageId: number | null): Promise<void> {
    const path = messageId === null ? [] : await this.inactivePathTo(messageId);
    const fork = path.length > 0 ? (path.at(-1)!.parentId ?? 0) : (messageId ?? 0);
    await this.messages.update(
      { conversationId: this.conversationId, active: true, id: MoreThan(fork) },
      { active: false },
    );
    for (let start = 0; start < path.length; start += this.page) {
      const ids = path.slice(start, start + this.page).map((link) => link.id);
      await this.messages.update({ id: In(ids) }, { active: true });
    }
  }

  /** The message's newest descendant, or the message itself. */
  async newestBelow(messageId: number): Promise<number> {
    const below = new Set([messageId]);
    let newest = messageId;
    for (let after = messageId; ;) {
      const links = await this.readLinks({ id: MoreThan(after) }, 'ASC');
      for (const { id, parentId } of links) {
        if (parentId === null || !below.has(parentId)) continue;
        below.add(id);
        newest = id;
      }
      if (links.length < this.page) return newest;
      after = links.at(-1)!.id;
    }
  }

  /** Inactive messages from this one up to the first active ancestor, in descending order. */
  private async inactivePathTo(messageId: number): Promise<Link[]> {
    const path: Link[] = [];
    let next: number | null = messageId;
    for (let from = messageId; ;) {
      const links = await this.readLinks({ active: false, id: LessThanOrEqual(from) }, 'DESC');
      for (const link of links) {
        // A missing ancestor is active.
        if (next === null || link.id < next) return path;
        if (link.id > next) continue;
        path.push(link);
        next = link.parentId;
      }
      if (next === null || links.length < this.page) return path;
      from = Math.min(next, links.at(-1)!.id - 1);
    }
  }

  private readLinks(where: object, direction: 'ASC' | 'DESC'): Promise<Link[]> {
    return this.messages.find({
      select: { id: true, parentId: true },
      where: { conversationId: this.conversationId, ...where },
      order: { id: direction },
      take: this.page,
    });
  }

  private get messages() {
    return this.manager.getRepository(Message);
  }
}
