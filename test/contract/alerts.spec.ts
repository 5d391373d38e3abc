/** The alert rules of deploy/prometheus against the documents. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = (path: string) => readFileSync(join(__dirname, '../..', path), 'utf8');
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
