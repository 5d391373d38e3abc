/** Alert rules and dashboard against the documents and the series of a running app. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTestApp, type TestApp } from '../support/app/app.js';

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, match]) => match!);

const rules = read('deploy/prometheus/parley.rules.yaml');
const alerts = matches(rules, /- alert: (\w+)/g);

describe('the alert rules', () => {
  it('use series that docs/metrics.md lists', () => {
    const used = matches(rules, /\b(parley_\w+)\b/g);
    const documented = matches(read('docs/metrics.md'), /^\| `(parley_\w+)`/gm);

    expect(used.length).toBeGreaterThan(8);
    expect(used.filter((name) => !documented.includes(name))).toEqual([]);
  });

  it('are explained one by one in docs/operations.md', () => {
    expect(matches(read('docs/operations.md'), /^### (Parley\w+)$/gm)).toEqual(alerts);
  });

  it('are each made to fire in parley.rules.test.yaml', () => {
    const fired = matches(
      read('deploy/prometheus/parley.rules.test.yaml'),
      /alertname: (\w+)\n +exp_alerts:\n +- exp_labels/g,
    );
    expect(fired.toSorted()).toEqual(alerts.toSorted());
  });
});

describe('the dashboard', () => {
  const REDIS = process.env.TEST_REDIS_URL;
  let t: TestApp;
  beforeAll(async () => {
    const webhooks = {
      WEBHOOK_URL: 'http://127.0.0.1:1/',
      WEBHOOK_SECRET: `whsec_${randomBytes(24).toString('base64')}`,
    };
    t = await startTestApp({ env: { ...webhooks, REDIS_URL: REDIS } });
  });
  afterAll(() => t.stop());

  it('uses series that a node has', async () => {
    const { body } = await t.http.get<string>('/metrics');
    const there = matches(body, /^# TYPE (\w+)/gm);
    const dashboard = read('deploy/grafana/parley.json');
    const used = new Set(
      matches(dashboard, /"expr": "(.+)"/g).flatMap((expression) =>
        matches(expression, /\b((?:parley|http|nodejs|process)_\w+)\{/g).map((name) =>
          name.replace(/_(bucket|count)$/, ''),
        ),
      ),
    );
    const missing = [...used].filter((name) => !there.includes(name));

    expect(used.size).toBeGreaterThan(15);
    expect(missing).toEqual(REDIS ? [] : ['parley_redis_up']);
  });
});
