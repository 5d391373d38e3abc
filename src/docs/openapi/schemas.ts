import type { OpenAPIObject } from '@nestjs/swagger';
import { resolve, type Schema, type Schemas } from './examples.js';

type Node = Record<string, unknown>;

/** Keywords whose values are data, not schemas. */
const DATA = new Set(['example', 'examples', 'default', 'const', 'enum']);
const REFERENCE = /^#\/components\/schemas\/(.+)$/;

/** Renames `MessageDto` to `Message` for users of SDKs. */
export function dropDtoSuffix(document: OpenAPIObject): OpenAPIObject {
  const schemas = document.components?.schemas ?? {};
  const names = new Map(Object.keys(schemas).map((name) => [name, name.replace(/Dto$/, '')]));
  if (new Set(names.values()).size < names.size) throw new Error('Two schemas would have the same name.');
  const renamed = Object.entries(schemas).map(([name, schema]) => [names.get(name)!, schema]);
  document.components = { ...document.components, schemas: Object.fromEntries(renamed) };
  return JSON.parse(JSON.stringify(document), (key, value: unknown) => {
    const name = key === '$ref' && typeof value === 'string' && REFERENCE.exec(value)?.[1];
    return name ? `#/components/schemas/${names.get(name) ?? name}` : value;
  }) as OpenAPIObject;
}

/** Completes a schema and all schemas in it, for generators of SDKs. */
export function finishSchema(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  if (Array.isArray(schema)) return schema.forEach(finishSchema);
  const node = schema as Node;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties') Object.values(value as object).forEach(finishSchema);
    else if (!DATA.has(key)) finishSchema(value);
  }
  modernizeExample(node);
  addNumberFormat(node);
  openEnum(node);
}

/** Replaces `example` by `examples`: OpenAPI 3.1 uses JSON Schema 2020-12. */
function modernizeExample(node: Node): void {
  if (node.example === undefined) return;
  node.examples = [node.example];
  delete node.example;
}

/** Replaces `enum`, at whose unknown values generated clients throw, by `x-extensible-enum`. */
function openEnum(node: Node): void {
  if (!Array.isArray(node.enum)) return;
  const values = node.enum.filter((value) => value !== null).map((value) => `\`${value}\``);
  const sentence = `Known values: ${values.join(', ')}. Clients accept unknown ones.`;
  node.description = [node.description, sentence].filter(Boolean).join('\n\n');
  node['x-extensible-enum'] = node.enum;
  delete node.enum;
}

/** Without a format, generators use 32-bit integers and floats. */
function addNumberFormat(node: Node): void {
  const types = [node.type].flat();
  if (types.includes('integer')) node.format ??= 'int64';
  if (types.includes('number')) node.format ??= 'double';
}

/** Replaces `x-required-without` of a property, which names another one, by `anyOf`: one of both is required. */
export function requireAlternatives(document: OpenAPIObject): void {
  for (const schema of Object.values(document.components?.schemas ?? {}) as Schema[]) {
    for (const [name, property] of Object.entries((schema.properties ?? {}) as Record<string, Node>)) {
      const other = property['x-required-without'];
      if (typeof other !== 'string') continue;
      delete property['x-required-without'];
      delete property.default;
      schema.anyOf = [{ required: [name] }, { required: [other] }];
    }
  }
}

/** Documents that unknown fields are refused, and that a body is optional if all of its fields are. */
export function describeRequestBodies(document: OpenAPIObject): void {
  const schemas = document.components?.schemas ?? {};
  for (const item of Object.values(document.paths)) {
    for (const { requestBody } of [item.post, item.put, item.patch].filter((operation) => !!operation)) {
      const schema =
        requestBody && 'content' in requestBody && requestBody.content['application/json']?.schema;
      if (!schema || !('$ref' in schema)) continue;
      const resolved = resolve(schema, schemas);
      resolved.additionalProperties = false;
      requestBody.required = (resolved.required ?? []).length > 0 || resolved.anyOf !== undefined;
    }
  }
}

/** Collects the named schemas that a schema references, directly or indirectly. */
export function schemasUsedBy(
  root: unknown,
  schemas: Schemas,
  found: Record<string, Schema> = {},
): Record<string, Schema> {
  for (const [, name] of JSON.stringify(root).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    if (name === undefined || name in found) continue;
    const schema = resolve({ $ref: `#/components/schemas/${name}` }, schemas);
    found[name] = schema;
    schemasUsedBy(schema, schemas, found);
  }
  return found;
}
