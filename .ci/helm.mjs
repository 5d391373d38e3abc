/**
 * Checks deploy/helm/parley with Helm and kubeconform, and runs the server as the rendered objects say.
 * Usage: node .ci/helm.mjs <folder of helm, kubeconform and node_modules> <folder of schemas>. Needs TEST_MYSQL_URL and TEST_REDIS_URL.
 */
import getPort from 'get-port';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import mysql from 'mysql2/promise';

const [tools, schemas] = process.argv.slice(2).map((folder) => resolve(folder));
const installed = (path) => import(pathToFileURL(join(tools, 'node_modules', path)));
const { loadAll } = await installed('js-yaml/dist/js-yaml.mjs');
const { ServiceMonitor } = await installed(
  '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor.js',
);

const CHART = 'deploy/helm/parley';
/** The oldest of Chart.yaml's kubeVersion and the newest with schemas. */
const KUBERNETES = ['1.27.0', '1.37.0'];
const work = mkdtempSync(join(tmpdir(), 'parley-helm-'));

const helm = (args) => spawnSync(join(tools, 'helm'), args, { encoding: 'utf8' });

function render(args, version = KUBERNETES.at(-1)) {
  return helm(['template', 'parley', CHART, '--kube-version', version, ...args]);
}

function validate(file) {
  const values = join(CHART, 'ci', file);
  const lint = helm(['lint', '--strict', '--kube-version', KUBERNETES.at(-1), CHART, '-f', values]);
  assert.equal(lint.status, 0, lint.stdout + lint.stderr);
  for (const version of KUBERNETES) {
    const { status, stdout, stderr } = render(['-f', values], version);
    assert.equal(status, 0, stderr);
    const location = `${schemas}/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json`;
    const options = ['-strict', '-skip', 'ServiceMonitor', '-kubernetes-version', version];
    execFileSync(join(tools, 'kubeconform'), [...options, '-schema-location', location], {
      input: stdout,
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    for (const object of loadAll(stdout))
      if (object.kind === 'ServiceMonitor') new ServiceMonitor(object).validate();
  }
}

/** Values that must not render, with what the error says. */
const REFUSED = [
  [{ image: { repository: '' } }, /image\.repository is required/],
  [{ config: { PUBLIC_URL: '' } }, /config\.PUBLIC_URL is required/],
  [{ config: { PUBLIC_URL: 'http://chat.example.com' } }, /PUBLIC_URL.*does not match/i],
  [{ config: { FILES_URL: '' } }, /config\.FILES_URL is required/],
  [{ config: { FILES_URL: 'file:/files' } }, /config\.FILES_URL is a folder/],
  [{ config: { LOG_LEVLE: 'debug' } }, /LOG_LEVLE.*not allowed/],
  [{ config: { JWT_SECRETS: 'in a ConfigMap' } }, /JWT_SECRETS.*not allowed/],
  [{ secrets: { DATABASE_URL: '' } }, /secrets\.DATABASE_URL is required/],
  [{ secrets: { DATABASE_URL: 'sqlite:/data/parley.db' } }, /secrets\.DATABASE_URL is SQLite/],
  [{ secrets: { JWT_SECRETS: '' } }, /secrets\.JWT_SECRETS is required/],
  [{ secrets: { ENCRYPTION_KEYS: '' } }, /secrets\.ENCRYPTION_KEYS is required/],
  [{ existingSecret: 'parley' }, /exclude each other/],
  [{ replicaCount: 2 }, /secrets\.REDIS_URL is required/],
  [{ autoscaling: { enabled: true } }, /secrets\.REDIS_URL is required/],
  [{ service: { type: 'NodePort' }, metrics: { serviceMonitor: { enabled: true } } }, /would publish/],
  [{ ingress: { enabled: true }, config: { PUBLIC_URL: 'https://a.example/chat' } }, /has a path/],
];

function valuesFile(values) {
  const path = join(work, 'values.json');
  writeFileSync(path, JSON.stringify(values));
  return path;
}

function refuse([values, message]) {
  const { status, stderr } = render(['-f', join(CHART, 'ci/minimal-values.yaml'), '-f', valuesFile(values)]);
  assert.notEqual(status, 0, `${JSON.stringify(values)} renders`);
  assert.match(stderr, message);
}

/** @returns URLs of a user who may write rows, and of one who may change the schema */
async function createDatabase() {
  const name = `parley_helm_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const connection = await mysql.createConnection(process.env.TEST_MYSQL_URL);
  await connection.query(`CREATE DATABASE ${name}`);
  await connection.query(`CREATE USER ${name}@'%' IDENTIFIED BY '${password}'`);
  await connection.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${name}.* TO ${name}@'%'`);
  const { host } = new URL(process.env.TEST_MYSQL_URL);
  return {
    writer: `mysql://${name}:${password}@${host}/${name}`,
    owner: `${process.env.TEST_MYSQL_URL.replace(/\/$/, '')}/${name}`,
    async drop() {
      await connection.query(`DROP DATABASE ${name}`);
      await connection.query(`DROP USER ${name}@'%'`);
      await connection.end();
    },
  };
}

/** The variables of a container, from the rendered ConfigMaps and Secrets. */
function environmentOf(objects, { env = [], envFrom = [] }) {
  const data = (kind, { name }) => {
    const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
    return found.data ?? found.stringData;
  };
  const shared = envFrom.map(({ configMapRef, secretRef }) =>
    configMapRef ? data('ConfigMap', configMapRef) : data('Secret', secretRef),
  );
  const own = env.map(({ name, value, valueFrom }) => {
    const secret = valueFrom?.secretKeyRef;
    return [name, secret ? data('Secret', secret)[secret.key] : value];
  });
  return Object.assign({}, ...shared, Object.fromEntries(own));
}

/** Migrates and serves with the rendered commands and variables, and probes as Kubernetes and Prometheus do. */
async function run() {
  const database = await createDatabase();
  const values = {
    config: { FILES_URL: `file:${work}/files`, SHUTDOWN_DELAY_S: 1 },
    secrets: {
      DATABASE_URL: database.writer,
      REDIS_URL: process.env.TEST_REDIS_URL,
      JWT_SECRETS: randomBytes(48).toString('base64'),
      ENCRYPTION_KEYS: randomBytes(32).toString('base64url') + '=',
    },
    migration: { databaseUrl: database.owner },
    metrics: { port: await getPort(), serviceMonitor: { enabled: true } },
    autoscaling: { enabled: true },
  };
  const { stdout, stderr } = render(['-f', join(CHART, 'ci/folder-values.yaml'), '-f', valuesFile(values)]);
  const objects = loadAll(stdout);
  const find = (kind) =>
    objects.find((object) => object.kind === kind) ?? assert.fail(`no ${kind}: ${stderr}`);
  const start = (container, [command, ...args], extra) =>
    spawn(command, args, {
      env: { PATH: process.env.PATH, ...environmentOf(objects, container), ...extra },
      stdio: ['ignore', 'ignore', 'inherit'],
    });

  const [migration] = find('Job').spec.template.spec.containers;
  // The image sets it.
  const migrating = start(migration, migration.command, { NODE_ENV: 'production' });
  assert.deepEqual(await once(migrating, 'exit'), [0, null], 'the migration failed');

  const { containers, terminationGracePeriodSeconds } = find('Deployment').spec.template.spec;
  const [container] = containers;
  const port = await getPort();
  const server = start(container, ['node', '.'], { HOST: '127.0.0.1', PORT: port, DATA_DIR: work });
  try {
    for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe'])
      await answers(`http://127.0.0.1:${port}${container[name].httpGet.path}`, server);
    const [{ path }] = find('ServiceMonitor').spec.endpoints;
    const series = await answers(`http://127.0.0.1:${values.metrics.port}${path}`, server);
    const [{ pods }] = find('HorizontalPodAutoscaler').spec.metrics;
    assert.match(series, new RegExp(`^${pods.metric.name} \\d`, 'm'));

    const since = Date.now();
    server.kill('SIGTERM');
    assert.deepEqual(await once(server, 'exit'), [0, null]);
    assert.ok(Date.now() - since < terminationGracePeriodSeconds * 1000);
  } finally {
    server.kill('SIGKILL');
    await database.drop();
  }
}

async function answers(url, server) {
  for (let tries = 0; tries < 300 && server.exitCode === null; tries++, await delay(100)) {
    const response = await fetch(url).catch(() => null);
    if (response?.ok) return response.text();
  }
  throw new Error(`${url} does not answer`);
}

try {
  const files = readdirSync(join(CHART, 'ci'));
  assert.ok(files.length > 0);
  files.forEach(validate);
  REFUSED.forEach(refuse);
  await run();
  console.log(`✓ ${files.length} sets of values, ${REFUSED.length} refused, migrated and served`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
