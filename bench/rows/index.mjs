import { firstToken, latency, saturation } from './flow.mjs';
import { tokens100, tokens1000 } from './tokens.mjs';

/** In the order in which they run. */
export const ROWS = [tokens100, tokens1000, saturation, latency, firstToken];
