import client = require('@parley/client');
import aiSdk = require('@parley/client/ai-sdk');

const transport = new aiSdk.ParleyChatTransport(client.createParley({ baseUrl: 'http://127.0.0.1:9' }));
if (transport.resumeStreamIsReplay !== true) throw new Error('The transport is missing');
