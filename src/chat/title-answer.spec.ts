import { describe, expect, it } from '@jest/globals';
import { titleFromModel } from './title-answer.js';

describe('titleFromModel', () => {
  it.each<[answer: string, title: string]>([
    ['Trip to Kyoto', 'Trip to Kyoto'],
    ['  Trip to Kyoto.\n', 'Trip to Kyoto'],
    ['"Trip to Kyoto"', 'Trip to Kyoto'],
    ['“Trip to Kyoto.”', 'Trip to Kyoto'],
    ['«Voyage à Kyoto»', 'Voyage à Kyoto'],
    ['「京都への旅」', '京都への旅'],
    ['《京都之旅》', '京都之旅'],
    ['**Trip to Kyoto**', 'Trip to Kyoto'],
    ['`Trip to Kyoto`', 'Trip to Kyoto'],
    ['# Trip to Kyoto', 'Trip to Kyoto'],
    ['1. Trip to Kyoto\n2. Kyoto in Autumn', 'Trip to Kyoto'],
    // labels
    ['Title: Trip to Kyoto', 'Trip to Kyoto'],
    ['TITLE : "Trip to Kyoto"', 'Trip to Kyoto'],
    ['**Title:** Trip to Kyoto', 'Trip to Kyoto'],
    ['**Title**: Trip to Kyoto', 'Trip to Kyoto'],
    ['Title - Trip to Kyoto', 'Trip to Kyoto'],
    ['Suggested title: Trip to Kyoto', 'Trip to Kyoto'],
    ['The title is: Trip to Kyoto', 'Trip to Kyoto'],
    ['标题：京都之旅', '京都之旅'],
    ['标题: 京都之旅', '京都之旅'],
    ['標題︰京都之旅', '京都之旅'],
    ['对话标题：《京都之旅》', '京都之旅'],
    ['【标题】京都之旅', '京都之旅'],
    ['标题是：京都之旅', '京都之旅'],
    ['好的，标题：京都之旅', '京都之旅'],
    ['タイトル：京都への旅', '京都への旅'],
    ['Titre : Voyage à Kyoto', 'Voyage à Kyoto'],
    ['Título: Viaje a Kioto', 'Viaje a Kioto'],
    ["Here's a title for the conversation: Trip to Kyoto", 'Trip to Kyoto'],
    ['Here is a short title:\n\n"Trip to Kyoto"', 'Trip to Kyoto'],
    ['Sure! Here is a title: "Trip to Kyoto"', 'Trip to Kyoto'],
    ['Title:\nTrip to Kyoto', 'Trip to Kyoto'],
    // JSON
    ['{"title": "Trip to Kyoto"}', 'Trip to Kyoto'],
    ['{"标题": "京都之旅"}', '京都之旅'],
    ['{"conversation_title": "Trip to Kyoto", "words": 3}', 'Trip to Kyoto'],
    ['["Trip to Kyoto"]', 'Trip to Kyoto'],
    ['"title": "Trip to Kyoto"', 'Trip to Kyoto'],
    // fences
    ['```\nTrip to Kyoto\n```', 'Trip to Kyoto'],
    ['```json\n{"title": "Trip to Kyoto"}\n```', 'Trip to Kyoto'],
    ['Here you go:\n```text\nTitle: Trip to Kyoto\n```\nEnjoy!', 'Trip to Kyoto'],
    ['``` Trip to Kyoto ```', 'Trip to Kyoto'],
    ['<title>Trip to Kyoto</title>', 'Trip to Kyoto'],
    // thoughts
    ['<think>A title. Hm.</think>\n\nTrip to Kyoto', 'Trip to Kyoto'],
    ['<THINKING>\nHm\n</THINKING>Trip to Kyoto', 'Trip to Kyoto'],
    ['[THINK]Hm[/THINK]Trip to Kyoto', 'Trip to Kyoto'],
    ['A title. Hm.</think>Title: Trip to Kyoto', 'Trip to Kyoto'],
    ['<think>Hm</think>```json\n{"title":"标题：京都之旅"}\n```', '京都之旅'],
    // what only looks like a wrapping
    ['Python: lists and tuples', 'Python: lists and tuples'],
    ['Title case in English', 'Title case in English'],
    ['主题是什么', '主题是什么'],
    ['What is "love"', 'What is "love"'],
    ['"Yes" and "No" in Japanese', '"Yes" and "No" in Japanese'],
    ['OK Computer reviewed', 'OK Computer reviewed'],
    ['This is America: an analysis', 'This is America: an analysis'],
    ['snake_case or camelCase', 'snake_case or camelCase'],
    ['[Draft] Letter to my landlord', '[Draft] Letter to my landlord'],
    ['2024 in review', '2024 in review'],
    ['And then...', 'And then...'],
    ['无法连接网络的问题', '无法连接网络的问题'],
    ['🍣', '🍣'],
    ['👩‍💻 day', '👩‍💻 day'],
    ['\u202eTitle\u202c', 'Title'],
    ['x'.repeat(100), 'x'.repeat(100)],
    ['😀'.repeat(100), '😀'.repeat(100)],
  ])('of %j is %j', (answer, title) => expect(titleFromModel(answer)).toBe(title));

  it.each([
    '',
    ' \n ',
    '""',
    '**',
    '...',
    'Title:',
    '{"title": ""}',
    '{"title": "Trip to Ky',
    '{"a": {"b": 1}}',
    '<think>Never ends',
    '```\n\n```',
    'x'.repeat(101),
    'Kyoto is a city. '.repeat(8),
    `Sure!\n\n${'Kyoto is a lovely city to visit in autumn. '.repeat(5)}`,
    "I'm sorry, but I can't help with that.",
    'I’m sorry, I cannot do that',
    'Sorry, I cannot help',
    "I can't assist with this request.",
    'I cannot create a title for this.',
    'As an AI language model, I have no opinion',
    '抱歉，我无法回答这个问题。',
    '很抱歉，我不能提供标题',
    '{"title": "I am sorry, no title"}',
    'Lo siento, no puedo',
    '\u200b\ufeff',
    '"\u2800"',
  ])('is none of %j', (answer) => expect(titleFromModel(answer)).toBeNull());

  it('takes no longer for an answer that was made to take long', () => {
    const start = performance.now();
    for (const unit of ['a ', '<think>', '```', '“', 'Title: ', '*', 'sure, ', '{"a":', ':', ' ', '\n'])
      titleFromModel(unit.repeat(8000 / unit.length));

    expect(performance.now() - start).toBeLessThan(2000);
  });
});
