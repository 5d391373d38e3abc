export { ParleyChatTransport, type ParleyChatTransportOptions } from './transport.js';
export { type ParleyMetadata, type ParleyUIMessage, toUIMessages } from './ui-messages.js';
