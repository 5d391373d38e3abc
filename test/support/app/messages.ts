import { EMPTY } from '../../../src/chat/turns/turn.js';
import type { Message } from '../../../src/conversations/messages/message.entity.js';

/** What a message has where a test does not say. */
export const BLANK: Partial<Message> = { ...EMPTY, content: '', status: 'complete' };
