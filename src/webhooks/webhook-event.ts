/** An event as it is sent. Contains ids and figures, never texts or names. */
export type WebhookEvent =
  | { type: 'message.completed'; timestamp: Date; data: MessageCompleted }
  | { type: 'user.created' | 'user.deleted'; timestamp: Date; data: { user_id: number } };

export interface MessageCompleted {
  user_id: number;
  conversation_id: number;
  message_id: number;
  status: string;
  finish_reason: string | null;
  model_name: string | null;
  usage: TokenUsage | null;
}

interface TokenUsage {
  prompt_tokens: number | null;
  completion_tokens: number | null;
  total_tokens: number | null;
  estimated: boolean | null;
}

export const userCreated = (userId: number) => userEvent('user.created', userId);
export const userDeleted = (userId: number) => userEvent('user.deleted', userId);

function userEvent(type: 'user.created' | 'user.deleted', userId: number): WebhookEvent {
  return { type, timestamp: new Date(), data: { user_id: userId } };
}

/** Events with the same key are delivered in the order in which they were stored. */
export function orderingKeyOf({ data }: WebhookEvent): string {
  return 'conversation_id' in data ? `conversation:${data.conversation_id}` : `user:${data.user_id}`;
}
