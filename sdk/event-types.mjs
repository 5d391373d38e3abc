/**
 * Adds the Socket.IO events and commands of an AsyncAPI document to the schemas of an OpenAPI document, so that one
 * generator writes all types: each payload, and the maps `ServerEvents` and `ClientCommands`.
 */
export function withEventTypes(openApi, asyncApi) {
  const { messages } = asyncApi.channels.chat;
  const operations = Object.entries(asyncApi.operations).filter(([key]) => key.startsWith('chat.'));
  const namesOf = (action) =>
    operations.filter(([, each]) => each.action === action).map(([key]) => key.slice('chat.'.length));
  const payloadOf = (name) => resolve(asyncApi, resolve(asyncApi, messages[name]).payload);

  const schemas = { ...asyncApi.components.schemas, ...openApi.components.schemas };
  const add = (name, schema) => {
    schemas[name] = schema;
    return { $ref: `#/components/schemas/${name}` };
  };
  const event = (name) => add(typeName(name), payloadOf(name));
  const command = (name) =>
    objectOf({
      body: add(`${typeName(name)}Command`, payloadOf(name)),
      data: add(`${typeName(name)}Ack`, acknowledged(asyncApi, payloadOf(`${name}.ack`))),
    });
  add('ServerEvents', objectOf(mapOf(namesOf('send'), event)));
  add('ClientCommands', objectOf(mapOf(namesOf('receive'), command)));
  return { ...openApi, components: { ...openApi.components, schemas } };
}

const mapOf = (names, toSchema) => Object.fromEntries(names.map((name) => [name, toSchema(name)]));

const objectOf = (properties) => ({ type: 'object', required: Object.keys(properties), properties });

/** Returns the `data` of the successful one of an acknowledgement's two forms. */
function acknowledged(document, { oneOf }) {
  const forms = oneOf.map((form) => resolve(document, form));
  return forms.find(({ properties }) => properties.data).properties.data;
}

/** Follows `$ref` outside of components/schemas, whose references both documents share. */
function resolve(document, node) {
  if (!node.$ref || node.$ref.startsWith('#/components/schemas/')) return node;
  const path = node.$ref.slice(2).split('/');
  return resolve(
    document,
    path.reduce((parent, key) => parent[key.replaceAll('~1', '/')], document),
  );
}

/** `message.delta` becomes `MessageDelta`. */
const typeName = (name) => name.replace(/(^|\.)(\w)/g, (_, _dot, letter) => letter.toUpperCase());
