/**
 * Adds the payloads of Socket.IO of an AsyncAPI document to the schemas of an OpenAPI document, so that one generator
 * writes all types.
 */
export function withEventSchemas(openApi, asyncApi) {
  const schemas = { ...openApi.components.schemas };
  const add = (node) => {
    for (const name of referencesIn(node)) {
      if (name in schemas) continue;
      schemas[name] = asyncApi.components.schemas[name];
      add(schemas[name]);
    }
  };
  add(payloadsOf(asyncApi));
  return { ...openApi, components: { ...openApi.components, schemas } };
}

/** Also adds the maps `ServerEvents` and `ClientCommands`, from names to bodies. */
export function withEventTypes(openApi, asyncApi) {
  const payloads = payloadsOf(asyncApi);
  const document = withEventSchemas(openApi, asyncApi);
  const { schemas } = document.components;
  const commands = Object.keys(payloads).filter((name) => `${name}.ack` in payloads);
  const events = Object.keys(payloads).filter((name) => !OTHERS.test(name) && !commands.includes(name));
  const acknowledgement = ({ $ref }) => schemas[$ref.split('/').at(-1)];
  const command = (name) =>
    objectOf({
      body: payloads[name],
      data: acknowledgement(payloads[`${name}.ack`]).properties.data,
    });
  schemas.ServerEvents = objectOf(mapOf(events, (name) => payloads[name]));
  schemas.ClientCommands = objectOf(mapOf(commands, command));
  return document;
}

function payloadsOf({ channels, components }) {
  const messages = Object.entries(channels.chat.messages);
  const payloads = messages.map(([name, { $ref }]) => [
    name,
    components.messages[$ref.split('/').at(-1)].payload,
  ]);
  return Object.fromEntries(payloads);
}

/** Acknowledgements, and refusals of commands without one. */
const OTHERS = /\.ack$|^exception$/;

const mapOf = (names, toSchema) => Object.fromEntries(names.map((name) => [name, toSchema(name)]));

const objectOf = (properties) => ({ type: 'object', required: Object.keys(properties), properties });

const referencesIn = (schema) =>
  [...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
