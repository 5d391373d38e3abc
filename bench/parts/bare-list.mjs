/** Baseline for lists: node:http, one JWT verification, one query, JSON. */
import jwt from 'jsonwebtoken';
import { createPool } from 'mysql2/promise';
import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import { ready } from '../support/part.mjs';

const pool = createPool({ uri: process.env.DATABASE_URL, connectionLimit: 10, timezone: 'Z' });
const key = createSecretKey(process.env.JWT_SECRETS, 'utf8');
const SQL =
  'SELECT * FROM conversations WHERE user_id = ? AND archived = 0 ORDER BY pinned DESC, updated_at DESC, id DESC LIMIT 20';

const server = createServer(async ({ headers }, response) => {
  const claims = jwt.verify(headers.authorization.slice('Bearer '.length), key, { algorithms: ['HS256'] });
  const [conversations] = await pool.query(SQL, [Number(claims.sub)]);
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ conversations }));
});
server.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${server.address().port}` }));
