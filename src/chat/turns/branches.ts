import { EntityManager, In, LessThanOrEqual, MoreThan } from 'typeorm';
import { Message } from '../../conversations/messages/message.entity.js';

/** Ids a read: a branch is walked without loading its text. */
const STEP = 1000;

type Link = Pick<Message, 'id' | 'parentId'>;

/**
 * A conversation's messages are a tree, of which one branch is active. Ids rise from parent to child, so that
 * "below" is "a higher id" and the active branch's order is its ids' order.
 */
export class Branches {
  constructor(
    private readonly manager: EntityManager,
    private readonly conversationId: number,
    private readonly step = STEP,
  ) {}

  /** Makes the branch end at a message (null: before the first), so that what is added next follows it. */
  async endAt(messageId: number | null): Promise<void> {
    const path = messageId === null ? [] : await this.inactivePathTo(messageId);
    const fork = path.length > 0 ? (path.at(-1)!.parentId ?? 0) : (messageId ?? 0);
    await this.messages.update(
      { conversationId: this.conversationId, active: true, id: MoreThan(fork) },
      { active: false },
    );
    for (let start = 0; start < path.length; start += this.step) {
      const ids = path.slice(start, start + this.step).map((link) => link.id);
      await this.messages.update({ id: In(ids) }, { active: true });
    }
  }

  /** The newest message that follows from one: where its branch was last worked at. */
  async newestBelow(messageId: number): Promise<number> {
    const below = new Set([messageId]);
    let newest = messageId;
    for (let after = messageId; ;) {
      const links = await this.links({ id: MoreThan(after) }, 'ASC');
      for (const { id, parentId } of links) {
        if (parentId === null || !below.has(parentId)) continue;
        below.add(id);
        newest = id;
      }
      if (links.length < this.step) return newest;
      after = links.at(-1)!.id;
    }
  }

  /** From a message up to just below the first active one: descending ids, of which a gap means "active". */
  private async inactivePathTo(messageId: number): Promise<Link[]> {
    const path: Link[] = [];
    let wanted: number | null = messageId;
    for (let from = messageId; ;) {
      const links = await this.links({ active: false, id: LessThanOrEqual(from) }, 'DESC');
      for (const link of links) {
        if (wanted === null || link.id < wanted) return path;
        if (link.id > wanted) continue;
        path.push(link);
        wanted = link.parentId;
      }
      if (wanted === null || links.length < this.step) return path;
      from = Math.min(wanted, links.at(-1)!.id - 1);
    }
  }

  private links(where: object, direction: 'ASC' | 'DESC'): Promise<Link[]> {
    return this.messages.find({
      select: { id: true, parentId: true },
      where: { conversationId: this.conversationId, ...where },
      order: { id: direction },
      take: this.step,
    });
  }

  private get messages() {
    return this.manager.getRepository(Message);
  }
}
