import type { ReferenceObject, SchemaObject } from '@nestjs/swagger';

export type Schema = SchemaObject & { const?: unknown; 'x-extensible-enum'?: unknown[] };
/** Schemas by name. */
export type Schemas = Record<string, Schema | ReferenceObject>;

const BY_FORMAT: Record<string, string> = {
  'date-time': '2026-01-31T09:30:00.000Z',
  email: 'ada@example.com',
  uuid: '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7aa',
  uri: 'https://example.com',
};

const MAX_DEPTH = 8;

/** Builds an example of a schema from the examples of its parts. */
export function exampleOf(schema: Schema | ReferenceObject, schemas: Schemas, depth = 0): unknown {
  if ('$ref' in schema) return exampleOf(resolve(schema, schemas), schemas, depth);
  const given = givenExample(schema);
  if (given !== undefined) return given;
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => exampleOf(part, schemas, depth)));
  const [variant] = schema.anyOf ?? schema.oneOf ?? [];
  if (variant && !schema.properties) return exampleOf(variant, schemas, depth);
  return exampleOfType(schema, schemas, depth);
}

export function resolve(reference: ReferenceObject, schemas: Schemas): Schema {
  const name = reference.$ref.split('/').at(-1)!;
  const schema = schemas[name];
  if (!schema) throw new Error(`The schema "${name}" is missing.`);
  return '$ref' in schema ? resolve(schema, schemas) : schema;
}

function givenExample(schema: Schema): unknown {
  if (schema.example !== undefined) return schema.example;
  if (Array.isArray(schema.examples)) return schema.examples[0];
  return schema.const ?? schema.default ?? schema.enum?.[0] ?? schema['x-extensible-enum']?.[0];
}

function exampleOfType(schema: Schema, schemas: Schemas, depth: number): unknown {
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type ?? 'string') {
    case 'array':
      return schema.items && depth < MAX_DEPTH ? [exampleOf(schema.items, schemas, depth + 1)] : [];
    case 'object':
      return depth < MAX_DEPTH ? exampleObject(schema, schemas, depth) : {};
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return BY_FORMAT[schema.format ?? ''] ?? 'text';
  }
}

/** Omits optional properties without an example of their own. */
function exampleObject(schema: Schema, schemas: Schemas, depth: number): Record<string, unknown> {
  const required = new Set(schema.required);
  const shown = Object.entries(schema.properties ?? {}).filter(
    ([name, property]) => required.has(name) || (!('$ref' in property) && hasOwnExample(property)),
  );
  return Object.fromEntries(shown.map(([name, property]) => [name, exampleOf(property, schemas, depth + 1)]));
}

function hasOwnExample(schema: Schema): boolean {
  return schema.example !== undefined || (Array.isArray(schema.examples) && schema.examples.length > 0);
}
