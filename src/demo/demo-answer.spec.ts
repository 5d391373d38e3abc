import { describe, expect, it } from '@jest/globals';
import { TITLE_PROMPT } from '../chat/replies/titles/title-prompt.js';
import { demoAnswer, deltasOf } from './demo-answer.js';

const ask = (...texts: string[]) => demoAnswer(texts.map((text) => ({ role: 'user', text })));
const titleOf = (text: string) => ask(`${TITLE_PROMPT}\n\n${text}`);

describe('demoAnswer', () => {
  it('answers with a heading, bold words of the question, a list and a code block', () => {
    const answer = ask('How do I centre a div with flexbox?');

    expect(answer).toMatch(/^## “How do I centre a div with flexbox\?”\n/);
    expect(answer).toContain('**centre**, **div**, **flexbox**');
    expect(answer).toMatch(/^- \*\*Streaming\*\*/m);
    expect(answer).toMatch(/^```http\n[^]*^```$/m);
  });

  it('says that it is the demo model and how to add a real one', () => {
    expect(ask('Hi')).toContain("Parley's built-in demo model");
    expect(ask('Hi')).toContain('Settings → Model');
    expect(ask('Hi')).toContain('POST /auth/config/create');
  });

  it('claims no subject for a question that names none', () => {
    expect(ask('What can you do?')).toMatch(/^## “What can you do\?”\n\nI have to be honest: /);
    expect(ask('你能做什么？')).toMatch(/^## “你能做什么？”\n\n坦白地说：/);
  });

  it('answers Chinese in Chinese, but not Japanese', () => {
    expect(ask('请介绍一下杭州的西湖')).toContain('Parley 内置的演示模型');
    expect(ask('请介绍一下杭州的西湖')).toContain('**杭州**、**西湖**');
    expect(ask('東京の天気は')).toContain('demo model');
  });

  it('gives the same messages the same answer', () => {
    expect(ask('Tell me about tides', 'And about waves?')).toBe(
      ask('Tell me about tides', 'And about waves?'),
    );
  });

  it('refers to the question before', () => {
    expect(ask('Tell me about tides', 'And about waves?')).toContain('you asked “Tell me about tides”');
    expect(ask('Tell me about tides')).not.toContain('you asked');
  });

  it('quotes Markdown in a question as plain text', () => {
    expect(ask('Is **this** <b>bold</b> or my_name?')).toMatch(
      /^## “Is \\\*\\\*this\\\*\\\* \\<b\\>bold\\<\/b\\> or my\\_name\?”\n/,
    );
  });

  it('shortens a long question without cutting a character in two', () => {
    expect(ask('🙂a'.repeat(100)).split('\n')[0]).toBe(`## “${'🙂a'.repeat(24)}…”`);
  });

  it('answers a question without readable text', () => {
    expect(ask('?!')).toMatch(/^## Hello!/);
    expect(demoAnswer([])).toMatch(/^## Hello!/);
  });

  it('stays under ten seconds at 35 ms a delta', () => {
    for (const text of ['word '.repeat(30), '请介绍一下杭州的西湖'.repeat(20), '?']) {
      expect(deltasOf(ask(text, text)).length).toBeLessThan(10_000 / 35);
    }
  });
});

describe('a title', () => {
  it('is made from the first words', () => {
    expect(titleOf('# How do I centre a "div" with flexbox?')).toBe('How do I centre a div');
    expect(titleOf('User: Tell me about tides\n\nAssistant: They rise.')).toBe('Tell me about tides');
    expect(titleOf('What is a good recipe for banana bread?')).toBe('What is a good recipe');
    expect(titleOf('Where do I go to')).toBe('Where do I go to');
    expect(titleOf('Hello, world!\nMore')).toBe('Hello, world');
    expect(titleOf('请介绍一下杭州的西湖，以及周边的小吃和茶馆')).toBe('请介绍一下杭州的西湖，以及周边的');
  });

  it('is never empty or too long', () => {
    expect(titleOf('?!')).toBe('New conversation');
    expect(titleOf('x'.repeat(1000))).toHaveLength(60);
  });
});

describe('deltasOf', () => {
  it('splits into words that join to the text', () => {
    expect(deltasOf('One two\n\n- 三个字 🙂')).toEqual(['One ', 'two\n\n', '- ', '三个', '字', ' ', '🙂']);
    expect(deltasOf(ask('Tell me a story')).join('')).toBe(ask('Tell me a story'));
  });
});
