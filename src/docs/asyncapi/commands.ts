import { TurnDto } from '../../chat/chat.dto.js';
import { type CommandName, COMMANDS } from '../../chat/transports/shared/command-registry.js';
import {
  EmptyDto,
  StoppedReplyDto,
  TokenDto,
  TokenExpiryDto,
} from '../../chat/transports/shared/socket.dto.js';
import { ConversationPageDto } from '../../conversations/conversation.dto.js';
import { type Model, modelName, referenceTo, schemaName, schemaOf, withType } from '../openapi/events.js';
import type { Schema, Schemas } from '../openapi/examples.js';

interface DocumentedCommand {
  summary: string;
  /** DTO of `data` in a successful acknowledgement. */
  acknowledgement: Model;
}

/** Commands of clients; each is acknowledged. Their bodies are the DTOs of the registry. */
export const SOCKET_COMMANDS: Record<CommandName, DocumentedCommand> = {
  'conversation.open': {
    summary: 'Read a conversation and follow it: its deltas come from then on',
    acknowledgement: ConversationPageDto,
  },
  'conversation.close': { summary: "Stop following a conversation's deltas", acknowledgement: EmptyDto },
  'chat.send': { summary: 'Send a message; its reply follows as events', acknowledgement: TurnDto },
  'chat.stop': {
    summary: 'Stop the reply that runs; its text so far is kept',
    acknowledgement: StoppedReplyDto,
  },
  'chat.regenerate': { summary: 'Ask for another reply to the same message', acknowledgement: TurnDto },
  'chat.edit': { summary: 'Send a changed message in place of an earlier one', acknowledgement: TurnDto },
  'auth.refresh': {
    summary: 'Go on with a new access token of the same user, without reconnecting',
    acknowledgement: TokenExpiryDto,
  },
};

const NAMES = Object.keys(SOCKET_COMMANDS) as CommandName[];

export const COMMAND_MODELS: Model[] = [
  ...new Set(NAMES.flatMap((name) => [COMMANDS[name].dto, SOCKET_COMMANDS[name].acknowledgement])),
];

/** `ChatSend` and `ChatSendAck` are Socket.IO's, `ChatSendFrame` and `ChatSendAckFrame` the WebSocket's. */
export function commandSchemas(schemas: Schemas): Schemas {
  const added: Schemas = {
    AuthFrame: { ...withType('auth', schemaOf(TokenDto, schemas)), description: AUTH },
    ConversationSnapshot: {
      ...withType('conversation.snapshot', schemaOf(ConversationPageDto, schemas)),
      description: `${SNAPSHOT}.`,
    },
    Refusal: { ...refusalOf(), description: `${REFUSAL}.` },
  };
  for (const name of NAMES) {
    const body = bodyOf(name, schemas);
    const acknowledgement = acknowledgementOf(name);
    added[schemaName(name)] = body;
    added[`${schemaName(name)}Ack`] = acknowledgement;
    added[`${schemaName(name)}Frame`] = frameOf(name, body);
    added[`${schemaName(name)}AckFrame`] = withFrameId(withType('ack', acknowledgement));
  }
  return added;
}

export const AUTH = 'First frame of a client that has sent no token yet, within 5 s.';
export const SNAPSHOT = 'First frame: the conversation as it is, a running reply with its text so far';
export const REFUSAL = 'A command that had no acknowledgement callback was refused';

function bodyOf(name: CommandName, schemas: Schemas): Schema {
  const description = `${SOCKET_COMMANDS[name].summary}.`;
  return { ...schemaOf(COMMANDS[name].dto, schemas), description, additionalProperties: false };
}

function acknowledgementOf(name: CommandName): Schema {
  const { acknowledgement } = SOCKET_COMMANDS[name];
  return {
    type: 'object',
    description: `Acknowledges \`${name}\`: \`data\` if \`ok\`, else \`error\`.`,
    required: ['ok'],
    properties: {
      ok: { type: 'boolean', example: true },
      data: referenceTo(modelName(acknowledgement)),
      error: referenceTo('Problem'),
    },
  };
}

function refusalOf(): Schema {
  return {
    type: 'object',
    required: ['ok', 'error'],
    properties: { ok: { type: 'boolean', example: false }, error: referenceTo('Problem') },
  };
}

/** On a WebSocket the conversation's id is implied. */
function frameOf(name: CommandName, body: Schema): Schema {
  const required = (body.required ?? []).filter((property) => property !== 'conversation_id');
  return withFrameId(withType(name, { ...body, required }));
}

function withFrameId({ properties: { type, ...properties } = {}, ...schema }: Schema): Schema {
  const id: Schema = {
    type: 'integer',
    description: 'A number of the client’s choice, returned in the acknowledgement.',
    example: 1,
  };
  return { ...schema, properties: { type: type!, id, ...properties } };
}
