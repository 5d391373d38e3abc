import type { ConfigTestResult } from '@parley/client';
import { useState } from 'preact/hooks';
import { report } from '../client/notices.js';
import { formatNumber, t } from '../i18n/i18n.js';

/** Runs the server's test of a configuration: one tiny completion. */
export function useConfigTest(test: (id: number) => Promise<ConfigTestResult>) {
  const [result, setResult] = useState<ConfigTestResult | 'running' | null>(null);
  const run = async (id: number) => {
    setResult('running');
    setResult((await report(test(id))) ?? null);
  };
  return { result, run };
}

export function TestResult({ test: { result } }: { test: ReturnType<typeof useConfigTest> }) {
  return (
    <div role="status" class="test">
      {result === 'running' && <p class="muted">{t.testing}</p>}
      {result && result !== 'running' && <Verdict {...result} />}
    </div>
  );
}

function Verdict({ ok, latency_ms, error }: ConfigTestResult) {
  if (ok) return <p class="success">{t.testWorks(formatNumber(latency_ms))}</p>;
  const sentence = error && t.problem(error.code, error.detail);
  return (
    <div class="error">
      <p>
        {t.testFails}. {sentence}
      </p>
      {error && sentence !== error.detail && <p>{error.detail}</p>}
      {error?.hint && <p>{error.hint}</p>}
    </div>
  );
}
