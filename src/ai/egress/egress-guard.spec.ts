import { afterEach, describe, expect, it, jest } from '@jest/globals';
import os from 'node:os';
import { request } from 'undici';
import { Settings } from '../../env/settings.js';
import { EgressGuard } from './egress-guard.js';
import { ModelUrlError } from '../provider/provider.error.js';

function urlError(modelUrl: string, changes: Partial<Settings> = {}): string | undefined {
  const defaults = { production: true, modelUrlAllowedHosts: [] as string[], loopbackModelsAllowed: false };
  const guard = new EgressGuard({ ...defaults, ...changes } as Settings, () => Promise.resolve([]));
  try {
    guard.checkUrl(modelUrl);
    return undefined;
  } catch (error) {
    if (!(error instanceof ModelUrlError)) throw error;
    return error.message;
  }
}

describe('checkUrl', () => {
  it.each(['https://api.openai.com/v1', 'https://8.8.8.8/v1', 'https://[2606:4700::1111]:8443/v1'])(
    'accepts %s',
    (url) => expect(urlError(url)).toBeUndefined(),
  );

  it.each([
    ['api.openai.com/v1', 'must be a URL such as https://api.openai.com/v1'],
    ['nonsense', 'must be a URL such as https://api.openai.com/v1'],
    ['', 'must be a URL such as https://api.openai.com/v1'],
    ['ftp://example.com/v1', 'must use http or https'],
    ['file:///etc/passwd', 'must use http or https'],
    ['javascript:alert(1)', 'must use http or https'],
    ['https:example.com/v1', 'must be written scheme://host'],
    ['https:///example.com/v1', 'must be written scheme://host'],
    ['https:\\\\example.com', 'must be written scheme://host'],
    ['https://user:pass@example.com/v1', 'must not contain credentials'],
    ['https://@example.com/v1', 'must not contain credentials'],
    ['https://user@example.com/v1', 'must not contain credentials'],
    ['https://example.com/v1?a=1#b', 'must not contain a fragment'],
    ['http://example.com/v1', 'must use https'],
  ])('refuses %j: %s', (url, complaint) => expect(urlError(url)).toBe(complaint));

  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '１２７.０.０.１',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '%31%32%37.0.0.1',
    '[::1]',
    '[::ffff:7f00:1]',
    '[::ffff:127.0.0.1]',
    '[::7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[2001::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '10.0.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    '0',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'api.localhost',
  ])('refuses %s', (host) => expect(urlError(`https://${host}/v1`)).toBe('must lead to a public address'));

  it('accepts http outside production', () => {
    expect(urlError('http://example.com/v1', { production: false })).toBeUndefined();
  });

  it('accepts only loopback addresses if they are allowed', () => {
    const settings = { production: false, loopbackModelsAllowed: true };

    expect(urlError('http://localhost:11434/v1', settings)).toBeUndefined();
    expect(urlError('http://[::1]:11434/v1', settings)).toBeUndefined();
    expect(urlError('http://10.0.0.1/v1', settings)).toBeDefined();
  });

  it('accepts allowed hosts over http, at any port unless one is named', () => {
    const settings = {
      modelUrlAllowedHosts: ['ollama', '10.0.0.1:11434', '[fd00::1]:80', 'default.test:443'],
    };

    for (const url of [
      'http://ollama/v1',
      'http://OLLAMA:1/v1',
      'http://10.0.0.1:11434',
      'http://[fd00::1]/v1',
    ]) {
      expect(urlError(url, settings)).toBeUndefined();
    }
    expect(urlError('https://default.test/v1', settings)).toBeUndefined();
    expect(urlError('http://default.test/v1', settings)).toBeDefined();
    expect(urlError('http://10.0.0.1/v1', settings)).toBeDefined();
    expect(urlError('http://ollama.evil.test/v1', settings)).toBeDefined();
  });
});

describe('the machine’s own addresses', () => {
  const NETWORK = { netmask: '255.255.255.0', mac: '00:00:00:00:00:00', internal: false, cidr: null };
  const OWN = {
    eth0: [
      { ...NETWORK, family: 'IPv4' as const, address: '8.8.8.8' },
      { ...NETWORK, family: 'IPv6' as const, address: '2606:4700:0:0::1111', scopeid: 0 },
    ],
  };
  const settings = { production: true, modelUrlAllowedHosts: [] as string[], loopbackModelsAllowed: false };
  afterEach(() => void jest.restoreAllMocks());

  it.each(['8.8.8.8', '134744072', '[2606:4700::1111]'])(
    'are refused even if they are public: %s',
    (host) => {
      jest.spyOn(os, 'networkInterfaces').mockReturnValue(OWN);

      expect(urlError(`https://${host}/v1`)).toBe('must lead to a public address');
      expect(urlError('https://8.8.4.4/v1')).toBeUndefined();
      expect(urlError('https://8.8.8.8/v1', { modelUrlAllowedHosts: ['8.8.8.8'] })).toBeUndefined();
    },
  );

  it('are refused at connection, as literal address and as host name', async () => {
    jest.spyOn(os, 'networkInterfaces').mockReturnValue(OWN);
    const resolve = async () => [{ address: '8.8.8.8', family: 4 }];
    const guard = new EgressGuard(settings as unknown as Settings, resolve);

    for (const url of ['http://8.8.8.8:1/', 'http://[2606:4700::1111]:1/', 'http://example.com:1/']) {
      const attempt = request(url, { dispatcher: await guard.dispatcher() });
      await expect(attempt).rejects.toMatchObject({ code: 'EREFUSED' });
    }
    await guard.onApplicationShutdown();
  });
});
