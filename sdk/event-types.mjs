/**
 * Adds the Socket.IO events and commands of an AsyncAPI document to the schemas of an OpenAPI document, so that one
 * generator writes all types: each payload, and the maps `ServerEvents` and `ClientCommands`.
 */
export function withEventTypes(openApi, asyncApi) {
  const schemas = { ...openApi.components.schemas };
  const add = (reference) => {
    for (const name of referencesIn(reference)) {
      if (name in schemas) continue;
      schemas[name] = asyncApi.components.schemas[name];
      add(schemas[name]);
    }
    return reference;
  };
  const messages = Object.entries(asyncApi.channels.chat.messages).map(([name, { $ref }]) => [
    name,
    asyncApi.components.messages[$ref.split('/').at(-1)].payload,
  ]);
  const payloads = Object.fromEntries(messages);
  const acknowledgement = ({ $ref }) => asyncApi.components.schemas[$ref.split('/').at(-1)];
  const commands = Object.keys(payloads).filter((name) => `${name}.ack` in payloads);
  const events = Object.keys(payloads).filter((name) => !OTHERS.test(name) && !commands.includes(name));
  const command = (name) => {
    const answer = add(payloads[`${name}.ack`]);
    return objectOf({ body: add(payloads[name]), data: acknowledgement(answer).properties.data });
  };
  schemas.ServerEvents = objectOf(mapOf(events, (name) => add(payloads[name])));
  schemas.ClientCommands = objectOf(mapOf(commands, command));
  return { ...openApi, components: { ...openApi.components, schemas } };
}

/** Acknowledgements, and refusals of commands without one. */
const OTHERS = /\.ack$|^exception$/;

const mapOf = (names, toSchema) => Object.fromEntries(names.map((name) => [name, toSchema(name)]));

const objectOf = (properties) => ({ type: 'object', required: Object.keys(properties), properties });

const referencesIn = (schema) =>
  [...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
