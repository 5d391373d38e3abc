import { EgressResponse } from '../egress/egress-fetch.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { isObject } from '../provider/provider.chunk.js';

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_MODELS = 2_000;
const MAX_ID_LENGTH = 255;

/** Reads the ids from a response to `GET /models`. */
export async function readModels(response: EgressResponse, errors: ProviderErrorFactory): Promise<string[]> {
  const body = parse(await readBody(response, errors));
  const models = listIn(body);
  if (models) return [...new Set(models.map(idOf).filter(isId))].slice(0, MAX_MODELS);
  if (isObject(body) && body.error) throw errors.fromBody(body);
  throw errors.create('upstream_bad_response', 'The provider answered with no list of models.');
}

async function readBody(response: EgressResponse, errors: ProviderErrorFactory): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES)
      throw errors.create('upstream_bad_response', 'The list of models is longer than 4 MiB.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return undefined; // handled as a response without a list
  }
}

/** `{data: […]}` (OpenAI), `{models: […]}`, or a plain list. Ollama sends `{data: null}` for an empty one. */
function listIn(body: unknown): unknown[] | undefined {
  if (!isObject(body)) return undefined;
  const { data, models, result } = body;
  const wrapped = isObject(data) ? [data.data, data.models] : [];
  const list = [body, data, models, result, ...wrapped].find((each) => Array.isArray(each));
  return list ?? (data === null && body.object === 'list' ? [] : undefined);
}

function idOf(model: unknown): unknown {
  if (!isObject(model)) return model;
  return [model.id, model.name, model.model].find(isId);
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_LENGTH;
}
