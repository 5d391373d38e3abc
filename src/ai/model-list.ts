import { OutboundResponse } from './outbound-fetch.js';
import { ProviderFaults } from './provider-faults.js';
import { isObject } from './provider.chunk.js';

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_MODELS = 2_000;
const MAX_ID_LENGTH = 255;

/** The ids in an answer to `GET /models`. */
export async function readModels(response: OutboundResponse, faults: ProviderFaults): Promise<string[]> {
  const models = parse(await readBody(response, faults));
  if (!models) throw faults.make('upstream_bad_response', 'The provider answered with no list of models.');
  const ids = models.map((model) => (isObject(model) ? model.id : undefined)).filter(isId);
  return [...new Set(ids)].slice(0, MAX_MODELS);
}

async function readBody(response: OutboundResponse, faults: ProviderFaults): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES)
      throw faults.make('upstream_bad_response', 'The list of models is longer than 4 MiB.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** `{data: […]}`, as OpenAI has it, or the list alone. */
function parse(text: string): unknown[] | undefined {
  try {
    const body: unknown = JSON.parse(text);
    const list = isObject(body) && 'data' in body ? body.data : body;
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined; // no JSON is no list
  }
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_LENGTH;
}
