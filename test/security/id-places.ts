import type { Schema } from '../../src/docs/openapi/examples.js';
import type { ApiDocument, Operation } from './api-document.js';

export type Kind = 'conversation' | 'message' | 'config' | 'session' | 'identity' | 'file';
/** One id of each kind. */
export type Things = Record<Kind, number>;
export const KINDS: readonly Kind[] = ['conversation', 'message', 'config', 'session', 'identity', 'file'];

/** A parameter or body field that contains an id. */
export interface IdPlace {
  in: 'path' | 'query' | 'body';
  name: string;
  kind: Kind;
}

/** Kind of the `id` parameter by path prefix. */
const KIND_BY_PATH: readonly [prefix: string, kind: Kind][] = [
  ['/conversations/', 'conversation'],
  ['/auth/config/', 'config'],
  ['/auth/sessions/', 'session'],
  ['/auth/identities/', 'identity'],
  ['/files/', 'file'],
];
const KIND_BY_NAME: Partial<Record<string, Kind>> = {
  conversation_id: 'conversation',
  message_id: 'message',
  before_id: 'message',
  config_id: 'config',
  file_ids: 'file',
};
/** Numeric fields that are no ids, and the id that the client chooses. */
const NO_IDS = new Set(['limit', 'offset', 'context_tokens', 'client_message_id']);

interface Candidate {
  in: IdPlace['in'];
  name: string;
}

/**
 * @returns the places of ids in a request
 * @throws for a possible id of unknown kind, so that new endpoints are added to the tables above
 */
export function idPlacesOf(document: ApiDocument, operation: Operation): IdPlace[] {
  const parameters = operation.parameters.filter(
    ({ in: where, name, schema }) =>
      where === 'path' || (where === 'query' && mayBeId(name, document.resolve(schema!))),
  );
  const inParameters = parameters.map(({ in: where, name }) => ({ in: where as IdPlace['in'], name }));
  const candidates = [...inParameters, ...bodyCandidates(document, operation.body?.schema)];
  return placesOf(operation.name, candidates, operation.path);
}

/** @returns the places of ids in a socket command */
export function idPlacesOfCommand(document: ApiDocument, name: string, body: Schema): IdPlace[] {
  return placesOf(name, bodyCandidates(document, body));
}

function placesOf(owner: string, candidates: Candidate[], path = ''): IdPlace[] {
  return candidates
    .filter(({ name }) => !NO_IDS.has(name))
    .map((candidate) => {
      const byPath = KIND_BY_PATH.find(([prefix]) => candidate.name === 'id' && path.startsWith(prefix));
      const kind = byPath?.[1] ?? KIND_BY_NAME[candidate.name];
      if (kind) return { ...candidate, kind };
      throw new Error(
        `What does "${candidate.name}" (${candidate.in}) of ${owner} name? Say so in ${import.meta.filename}.`,
      );
    });
}

/** Skips `params`: model parameters contain no ids. */
function bodyCandidates(document: ApiDocument, schema: Schema | undefined): Candidate[] {
  if (!schema) return [];
  const properties = document.propertiesOf(schema).filter(([name]) => name !== 'params');
  const nested = properties.filter(([, { properties }]) => properties);
  return [
    ...properties
      .filter(([name, property]) => mayBeId(name, property))
      .map(([name]) => ({ in: 'body' as const, name })),
    ...nested.flatMap(([, property]) => bodyCandidates(document, property)),
  ];
}

function mayBeId(name: string, { type, items }: Schema): boolean {
  const types = [type, items && 'type' in items ? items.type : undefined].flat();
  return types.includes('integer') || /(^|_)ids?$/.test(name);
}

/** @returns all non-empty subsets of the places */
export function choicesOf(places: IdPlace[]): IdPlace[][] {
  const all = places.reduce<IdPlace[][]>(
    (choices, place) => [...choices, ...choices.map((choice) => [...choice, place])],
    [[]],
  );
  return all.filter((choice) => choice.length > 0);
}
