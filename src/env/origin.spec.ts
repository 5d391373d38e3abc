import { describe, expect, it } from '@jest/globals';
import { originError } from './origin.js';

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
    ['null', 'is null'],
    ['*', 'wildcard'],
    ['https://*.example.com', 'wildcard'],
    ['capacitor://*', 'wildcard'],
    ['app.example.com', 'no scheme'],
    ['localhost:5173', 'no scheme'],
    ['capacitor:localhost', 'no scheme'],
    ['//localhost', 'no scheme'],
    ['1app://localhost', 'no scheme'],
    ['file://', 'a scheme'],
    ['file:///index.html', 'a scheme'],
    ['data://x', 'a scheme'],
    ['wss://app.example.com', 'a scheme'],
    ['ftp://app.example.com', 'a scheme'],
    ['capacitor://ada@localhost', 'credentials'],
    ['https://ada:secret@app.example.com', 'credentials'],
    ['app://', 'no host'],
    ['https://', 'no host'],
    ['capacitor:///localhost', 'no host'],
    ['https://app.example.com/', 'slash or more'],
    ['capacitor://localhost/', 'slash or more'],
    ['capacitor://localhost/path', 'slash or more'],
    ['ionic://localhost?a', 'slash or more'],
    ['tauri://localhost#a', 'slash or more'],
    ['https://App.example.com', 'as browsers write it'],
    ['Capacitor://localhost', 'as browsers write it'],
    ['https://app.example.com:443', 'as browsers write it'],
    ['https://bücher.example', 'as browsers write it'],
    ['tauri://localhost:01430', 'as browsers write it'],
    ['capacitor://localhost:99999', 'bad host or port'],
    ['capacitor://local host', 'bad host or port'],
    ['capacitor://localhost:', 'as browsers write it'],
    ['https://app.example.com:port', 'bad host or port'],
    ["app://localhost'", 'bad host or port'],
  ])('is not %j: %s', (text, error) => {
    expect(originError(text)).toContain(error);
  });
});
