import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';

function generate(language: string, env: NodeJS.ProcessEnv) {
  const { status, stderr } = spawnSync(process.execPath, ['sdk/generate.mjs', language], {
    env,
    encoding: 'utf8',
  });
  return { status, stderr };
}

describe('npm run sdk -- <language>', () => {
  it('names the languages for one that it does not know', () => {
    expect(generate('klingon', process.env)).toEqual({
      status: 1,
      stderr: 'Unknown: klingon. Languages: kotlin, swift, dart, java, python, go, csharp.\n',
    });
  });

  it('says what it needs where Java is missing', () => {
    expect(generate('kotlin', { PATH: '/nowhere' })).toEqual({
      status: 1,
      stderr: 'OpenAPI Generator needs Java 11 or later: `java` did not run.\n',
    });
  });
});
