import client = require('@parley/client');
import react = require('@parley/client/react');

const { useConversation } = react;
if (typeof useConversation !== 'function') throw new Error('The hooks are missing');

const parley = client.createParley({ baseUrl: 'http://127.0.0.1:9' });
parley.rest.getMe().catch((error: unknown) => {
  if (!(error instanceof client.ParleyError) || error.code !== 'signed_out') throw error;
  parley.close();
  console.log('CommonJS works');
});
