/**
 * Runs two nodes of the build on MySQL and on a bucket of a real S3-compatible server, `rclone serve s3`: uploads on one and downloads on
 * the other, also while the server is killed or frozen, and one node on a folder and SQLite. `node .ci/s3.mjs RCLONE`, with the path of
 * its binary. Needs TEST_MYSQL_URL.
 */
import getPort from 'get-port';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { createDatabase, main, start, until, work } from './cluster.mjs';

const MIB = 1024 * 1024;
const bucket = join(work, 'buckets', 'files');

const credentials = { AWS_ACCESS_KEY_ID: 'parley', AWS_SECRET_ACCESS_KEY: randomBytes(16).toString('hex') };
const s3Port = await getPort();

/** Starts the server on the folder of buckets. */
async function startS3() {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = credentials;
  const options = [
    '--addr',
    `127.0.0.1:${s3Port}`,
    '--auth-key',
    `${id},${secret}`,
    '--log-level',
    'CRITICAL',
  ];
  const s3 = start([process.argv[2], ['serve', 's3', ...options, join(work, 'buckets')]]);
  await until('the S3 server answers', async () => (await fetch(`http://127.0.0.1:${s3Port}/`)).status > 0);
  return s3;
}

const shared = {
  NODE_ENV: 'development',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'error',
  STORAGE_LIMIT_MB: '4096',
  MIGRATE_ON_START: 'true',
  FILES_URL: `s3://files/users?region=us-east-1&endpoint=http://127.0.0.1:${s3Port}`,
  JWT_SECRETS: randomBytes(48).toString('base64'),
  ENCRYPTION_KEYS: `${randomBytes(32).toString('base64url')}=`,
  RATE_LIMIT_SCALE: '0',
  EMAIL_VERIFICATION: 'off',
  ...credentials,
};

async function startNode(settings) {
  const port = await getPort();
  const env = { ...process.env, ...shared, ...settings, DATA_DIR: join(work, String(port)), PORT: port };
  const process_ = start([process.execPath, ['.']], { stdio: ['ignore', 'ignore', 'inherit'], env });
  const url = `http://127.0.0.1:${port}`;
  await until('a node is ready', async () => (await fetch(`${url}/health/ready`)).ok);
  return { url, pid: process_.pid, uploads: join(work, String(port), 'uploads') };
}

async function signUp(url) {
  const post = async (path, body) => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.ok(response.ok, await response.clone().text());
    return response.json();
  };
  const account = { email: 'ada@example.com', password: randomBytes(16).toString('hex') };
  await post('/auth/register', { ...account, username: 'ada' });
  return (await post('/auth/login', account)).access_token;
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const textOf = (bytes) => Buffer.from(randomBytes((bytes * 3) / 4).toString('base64'));

/** Objects and parts of unfinished uploads. */
const stored = () =>
  readdirSync(bucket, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const residentMb = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** Samples a process's memory. @returns a function that stops, and returns the peak in MB */
function watchPeak(pid) {
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, residentMb(pid))), 10);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

let failed = 0;
async function check(name, run) {
  const began = performance.now();
  try {
    await run();
    console.log(`✓ ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.error(`✗ ${name}`, error);
  }
}

await main(async () => {
  mkdirSync(bucket, { recursive: true });
  let s3 = await startS3();
  const onMysql = { DATABASE_URL: await createDatabase() };
  const [one, two] = [await startNode(onMysql), await startNode(onMysql)];
  const folder = await startNode({
    FILES_URL: `file:${work}/folder`,
    DATABASE_URL: `sqlite:${work}/folder.db`,
  });
  const [token, folderToken] = [await signUp(one.url), await signUp(folder.url)];
  const call = (node, path, options = {}) => {
    const Authorization = `Bearer ${node === folder ? folderToken : token}`;
    return fetch(node.url + path, { ...options, headers: { Authorization, ...options.headers } });
  };
  const upload = async (node, bytes) => {
    const body = new FormData();
    body.append('file', new Blob([bytes]), 'a.txt');
    const response = await call(node, '/files', { method: 'POST', body });
    return { status: response.status, ...(await response.json()) };
  };
  const content = (node, { id }, headers) => call(node, `/files/${id}/content`, { headers });
  const stateOfFiles = async () => (await (await call(one, '/health/ready')).json()).parts?.files;
  const total = async () => (await (await call(one, '/files')).json()).total;
  const large = textOf(19 * MIB);
  let file;

  await check('a file of 19 MiB, uploaded in parts on one node, is served by the other', async () => {
    file = await upload(one, large);
    assert.deepEqual([file.status, file.bytes, file.sha256], [201, large.length, sha256(large)]);
    assert.equal(sha256(Buffer.from(await (await content(two, file)).arrayBuffer())), file.sha256);
    assert.equal(stored().length, 1);
    assert.equal(sha256(readFileSync(stored()[0])), file.sha256);
  });

  await check('ranges are read from the bucket', async () => {
    for (const [range, expected] of [
      ['bytes=0-9', large.subarray(0, 10)],
      ['bytes=9999990-10000009', large.subarray(9999990, 10000010)],
      ['bytes=-7', large.subarray(-7)],
    ]) {
      const response = await content(two, file, { Range: range });
      assert.equal(response.status, 206);
      assert.ok(expected.equals(Buffer.from(await response.arrayBuffer())), range);
    }
    assert.equal((await content(two, file, { Range: `bytes=${large.length}-` })).status, 416);
  });

  for (const [name, node] of [
    ['a bucket', one],
    ['a folder', folder],
  ]) {
    await check(`20 uploads of 20 MB at once to ${name} raise the memory by less than 60 MB`, async () => {
      const before = residentMb(node.pid);
      const file = large.subarray(0, 19 * MIB);
      const watch = watchPeak(node.pid);
      const statuses = await Promise.all(
        Array.from({ length: 20 }, async () => (await upload(node, file)).status),
      );
      const peak = watch();
      assert.deepEqual(statuses, Array(20).fill(201));
      console.log(`  ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most`);
      assert.ok(peak - before < 60);
    });

    await check(`20 downloads of 20 MB at once from ${name}, which stall, take less than 60 MB`, async () => {
      const { id } = await upload(node, large);
      const before = residentMb(node.pid);
      const watch = watchPeak(node.pid);
      const downloads = await Promise.all(Array.from({ length: 20 }, () => content(node, { id })));
      await delay(500);
      const peak = watch();
      const hashes = downloads.slice(0, 3).map(async (each) => sha256(Buffer.from(await each.arrayBuffer())));
      assert.deepEqual(await Promise.all(hashes), Array(3).fill(sha256(large)));
      for (const each of downloads.slice(3)) await each.body.cancel();
      console.log(`  ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most`);
      assert.ok(peak - before < 60);
    });
  }

  await check('20 photos of 20 MB at once raise the memory by less than 60 MB', async () => {
    const raw = { width: 3720, height: 3720, channels: 3 };
    const pixels = sharp(randomBytes(raw.width * raw.height * raw.channels), { raw });
    const photo = await pixels.jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer();
    assert.ok(photo.length > 18 * MIB);
    const before = residentMb(folder.pid);
    const watch = watchPeak(folder.pid);
    const uploads = await Promise.all(Array.from({ length: 20 }, () => upload(folder, photo)));
    const peak = watch();
    assert.deepEqual(
      uploads.map(({ mime_type }) => mime_type),
      Array(20).fill('image/jpeg'),
    );
    console.log(`  ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most`);
    assert.ok(peak - before < 60);
  });

  await check('a killed server is answered with 503, and nothing is half-stored', async () => {
    const before = await total();
    s3.kill('SIGKILL');
    await once(s3, 'exit');
    for (const answer of [await upload(one, 'lost'), await (await content(two, file)).json()])
      assert.deepEqual([answer.status, answer.code], [503, 'storage_unavailable']);
    assert.equal(await stateOfFiles(), 'degraded');
    assert.equal(await total(), before);
    assert.deepEqual(readdirSync(one.uploads), []);
  });

  await check('a server that is back works at once', async () => {
    s3 = await startS3();
    assert.equal((await upload(two, 'found')).status, 201);
    assert.equal((await content(one, file)).status, 200);
    await until('readiness is up', async () => (await stateOfFiles()) === 'up');
  });

  await check('a frozen server is answered with 503 after about 10 s, and a download continues', async () => {
    const before = await total();
    const download = (await content(one, file)).body.getReader();
    const chunks = [(await download.read()).value];
    s3.kill('SIGSTOP');
    const began = performance.now();
    const answers = await Promise.all([
      upload(one, textOf(7 * MIB)),
      upload(two, 'small'),
      content(two, file).then((response) => response.json()),
    ]);
    const seconds = (performance.now() - began) / 1000;
    s3.kill('SIGCONT');
    for (const { status, code } of answers) assert.deepEqual([status, code], [503, 'storage_unavailable']);
    assert.ok(seconds > 5 && seconds < 14, `${seconds} s`);
    assert.equal(await total(), before);
    for (let next; !(next = await download.read()).done;) chunks.push(next.value);
    assert.equal(sha256(Buffer.concat(chunks)), file.sha256);
  });

  await check('a deletion leaves nothing in the bucket', async () => {
    const { files } = await (await call(one, '/files?limit=100')).json();
    for (const { id } of files)
      assert.equal((await call(two, `/files/${id}/delete`, { method: 'POST' })).status, 204);
    await until('the bucket is empty', async () => stored().length === 0, 30);
    assert.equal((await content(one, file)).status, 404);
  });
  assert.equal(failed, 0);
});
