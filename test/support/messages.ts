import type { Message } from '../../src/conversations/message.entity.js';

/** What a message has where a test does not say. */
export const BLANK: Partial<Message> = {
  active: true,
  content: '',
  reasoning: '',
  status: 'complete',
  streamingIn: null,
  nodeId: null,
  attempt: 1,
  finishReason: null,
  errorCode: null,
  errorDetail: null,
  configId: null,
  modelName: null,
  promptTokens: null,
  completionTokens: null,
  totalTokens: null,
  usageEstimated: null,
  clientMessageId: null,
};
