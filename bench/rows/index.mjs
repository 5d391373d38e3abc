import { firstToken, latency, saturation } from './flow.mjs';
import { memory } from './memory.mjs';
import { nodes } from './nodes.mjs';
import { list, logins } from './requests.mjs';
import { size } from './size.mjs';
import { start } from './start.mjs';
import { statements } from './statements.mjs';
import { tokens100, tokens1000 } from './tokens.mjs';

/** All rows, in the order in which they run. */
export const ROWS = [
  tokens100,
  tokens1000,
  saturation,
  latency,
  firstToken,
  statements,
  memory,
  list,
  size,
  logins,
  start,
  nodes,
];
