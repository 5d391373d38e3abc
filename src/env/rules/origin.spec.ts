import { describe, expect, it } from '@jest/globals';
import { originError } from './origin.js';

const WILDCARD = 'has a wildcard: name each origin';
const NO_SCHEME = 'has no scheme: write scheme://host[:port]';
const NO_ORIGIN = 'has a scheme whose pages have no origin of their own';
const CREDENTIALS = 'has credentials';
const NO_HOST = 'names no host';
const PATH = 'has a slash or more after its host: write scheme://host[:port]';
const SPELLING = 'is not as browsers write it: in lower case and punycode, without a default port';
const HOST = 'has a bad host or port';

describe('an exact origin', () => {
  it.each([
    'https://app.example.com',
    'http://localhost:5173',
    'http://127.0.0.1:8080',
    'https://[2001:db8::5]:8443',
    'https://xn--bcher-kva.example',
    'https://tauri.localhost',
    'capacitor://localhost',
    'ionic://localhost',
    'tauri://localhost',
    'tauri://localhost:1430',
    'app://.',
    'app://bundle',
    'com.example.app://localhost',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'moz-extension://1a6f5c0e-5f3b-4a41-9c11-3f1d6c2d9b0a',
    'safari-web-extension://1A6F5C0E-5F3B-4A41-9C11-3F1D6C2D9B0A',
    'vscode-webview://1a6f5c0e',
  ])('is taken: %s', (text) => {
    expect(originError(text)).toBeNull();
  });

  it.each([
    ['', 'is empty'],
    ['null', 'is null, which sandboxed pages of every site send'],
    ['*', WILDCARD],
    ['https://*.example.com', WILDCARD],
    ['capacitor://*', WILDCARD],
    ['app.example.com', NO_SCHEME],
    ['localhost:5173', NO_SCHEME],
    ['capacitor:localhost', NO_SCHEME],
    ['//localhost', NO_SCHEME],
    ['1app://localhost', NO_SCHEME],
    ['about://blank', NO_ORIGIN],
    ['blob://x', NO_ORIGIN],
    ['filesystem://x', NO_ORIGIN],
    ['javascript://x', NO_ORIGIN],
    ['ws://app.example.com', NO_ORIGIN],
    ['file://', NO_ORIGIN],
    ['file:///index.html', NO_ORIGIN],
    ['data://x', NO_ORIGIN],
    ['wss://app.example.com', NO_ORIGIN],
    ['ftp://app.example.com', NO_ORIGIN],
    ['capacitor://ada@localhost', CREDENTIALS],
    ['https://ada:secret@app.example.com', CREDENTIALS],
    ['app://', NO_HOST],
    ['https://', NO_HOST],
    ['capacitor:///localhost', NO_HOST],
    ['https://app.example.com/', PATH],
    ['capacitor://localhost/', PATH],
    ['capacitor://localhost/path', PATH],
    ['ionic://localhost?a', PATH],
    ['tauri://localhost#a', PATH],
    ['https://App.example.com', SPELLING],
    ['Capacitor://localhost', SPELLING],
    ['https://app.example.com:443', SPELLING],
    ['https://bücher.example', SPELLING],
    ['tauri://localhost:01430', SPELLING],
    ['capacitor://localhost:99999', HOST],
    ['capacitor://local host', HOST],
    ['capacitor://localhost:', SPELLING],
    ['https://app.example.com:port', HOST],
    ["app://localhost'", HOST],
  ])('is not %j: %s', (text, error) => {
    expect(originError(text)).toBe(error);
  });
});
