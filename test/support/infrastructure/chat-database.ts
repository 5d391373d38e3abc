import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { User } from '../../../src/auth/users/user.entity.js';
import { EMPTY } from '../../../src/chat/turns/new-messages.js';
import { Conversation } from '../../../src/conversations/conversation.entity.js';
import { Message } from '../../../src/conversations/messages/message.entity.js';
import { createDataSource } from '../../../src/database/data-source.js';
import { SCHEMA } from '../../../src/schema.js';
import { createMigratedDatabase, type TestDatabase } from './database.js';

/** A migrated database without a server, for tests of services. */
export class ChatDatabase {
  private users = 0;

  static async create(): Promise<ChatDatabase> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-chat-'));
    const database = await createMigratedDatabase(folder);
    const dataSource = await createDataSource(database.url, SCHEMA).initialize();
    await dataSource.runMigrations();
    return new ChatDatabase(dataSource, database, folder);
  }

  private constructor(
    readonly dataSource: DataSource,
    private readonly database: TestDatabase,
    private readonly folder: string,
  ) {}

  async drop(): Promise<void> {
    await this.dataSource.destroy();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async createUser(): Promise<User> {
    const name = `user${++this.users}`;
    const email = `${name}@example.com`;
    const keys = { username: name, usernameKey: name, email, emailKey: email };
    const user = { ...keys, passwordHash: '', conversationCount: 0, archivedCount: 0, createdAt: new Date() };
    return this.dataSource.manager.save(User, user as User);
  }

  async createConversation(userId: number): Promise<Conversation> {
    const texts = { title: 'Default', titleKey: 'default', titleSource: 'default', params: {} } as const;
    const flags = { pinned: false, archived: false, messageCount: 0, activeMessageId: null };
    const times = { createdAt: new Date(0), updatedAt: new Date(0) };
    const conversation = { userId, configId: null, systemPrompt: null, ...texts, ...flags, ...times };
    return this.dataSource.manager.save(Conversation, conversation as unknown as Conversation);
  }

  async addMessage({ id, userId }: Conversation, message: Partial<Message>): Promise<Message> {
    const defaults = { ...EMPTY, role: 'user', content: '', status: 'complete', parentId: null } as const;
    const row = { ...defaults, conversationId: id, userId, createdAt: new Date(), ...message };
    return this.dataSource.manager.save(Message, row as Message);
  }

  /** A user message and its running reply. @returns the reply */
  async addRunningReply(conversation: Conversation, nodeId: string): Promise<Message> {
    const { id: parentId } = await this.addMessage(conversation, { content: 'Hi' });
    const running = { status: 'streaming', streamingIn: conversation.id, nodeId } as const;
    return this.addMessage(conversation, { role: 'assistant', parentId, ...running });
  }

  messagesOf({ id: conversationId }: Conversation): Promise<Message[]> {
    return this.dataSource.manager.find(Message, { where: { conversationId }, order: { id: 'ASC' } });
  }
}
