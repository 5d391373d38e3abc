import { describe, expect, it } from '@jest/globals';
import { titleFromModel } from './title-answer.js';
import { cpuMs } from '../../../../test/support/cpu-time.js';

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
    ['* Trip to Kyoto', 'Trip to Kyoto'],
    ['> Trip to Kyoto', 'Trip to Kyoto'],
    ['„Trip to Kyoto”', 'Trip to Kyoto'],
    ['»Trip to Kyoto«', 'Trip to Kyoto'],
    ['‹Trip to Kyoto›', 'Trip to Kyoto'],
    ['＂京都之旅＂', '京都之旅'],
    ['""Trip to Kyoto""', 'Trip to Kyoto'],
    ...[
      ...[
        '""',
        '„“',
        '„”',
        '””',
        '‘’',
        '«»',
        '»«',
        '‹›',
        '〈〉',
        '〝〞',
        '＂＂',
        '「」',
        '『』',
        '《》',
        '【】',
      ],
      ...["''", '``', '“”', '**', '__'],
    ].map((pair): [string, string] => [`${pair[0]}Trip to Kyoto${pair[1]}`, 'Trip to Kyoto']),
    ['__Trip to Kyoto__', 'Trip to Kyoto'],
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
    ['Happy to help with that:\nTrip to Kyoto', 'Trip to Kyoto'],
    ['**Five words on the trip：**\nTrip to Kyoto', 'Trip to Kyoto'],
    ['「标题：京都之旅」', '京都之旅'],
    ['「标题」：京都之旅', '京都之旅'],
    ['件名：京都への旅', '京都への旅'],
    ['Tiêu đề: Hà Nội', 'Hà Nội'],
    ['Answer: Trip to Kyoto', 'Trip to Kyoto'],
    ['"Title: Trip to Kyoto"', 'Trip to Kyoto'],
    ['The title of this conversation is "Trip to Kyoto".', 'Trip to Kyoto'],
    ['I would suggest the title: Trip to Kyoto', 'Trip to Kyoto'],
    // JSON
    ['{"language": "en", "chat_title": "Trip to Kyoto"}', 'Trip to Kyoto'],
    ['{"result": {"title": "Trip to Kyoto"}}', 'Trip to Kyoto'],
    ['{"titles": ["Trip to Kyoto", "Kyoto"]}', 'Trip to Kyoto'],
    ['Here is the JSON: {"title": "Trip to Kyoto"}', 'Trip to Kyoto'],
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
    ['```Kyoto```', 'Kyoto'],
    ['~~~\nTrip to Kyoto\n~~~', 'Trip to Kyoto'],
    ['```json\n{"title": "Trip to Kyoto"}', 'Trip to Kyoto'],
    ['<h1>Trip to Kyoto</h1>', 'Trip to Kyoto'],
    ['<title>Trip to Kyoto</title>', 'Trip to Kyoto'],
    // reasoning
    ['<think>A title. Hm.</think>\n\nTrip to Kyoto', 'Trip to Kyoto'],
    ['<THINKING>\nHm\n</THINKING>Trip to Kyoto', 'Trip to Kyoto'],
    ['[THINK]Hm[/THINK]Trip to Kyoto', 'Trip to Kyoto'],
    ['A title. Hm.</think>Title: Trip to Kyoto', 'Trip to Kyoto'],
    ['<think>Hm</think>```json\n{"title":"标题：京都之旅"}\n```', '京都之旅'],
    // titles that resemble a label, a refusal or markup
    ['Python: lists and tuples', 'Python: lists and tuples'],
    ['Title case in English', 'Title case in English'],
    ['主题是什么', '主题是什么'],
    ['What is "love"', 'What is "love"'],
    ['"Yes" and "No" in Japanese', '"Yes" and "No" in Japanese'],
    ['OK Computer reviewed', 'OK Computer reviewed'],
    ['This is America: an analysis', 'This is America: an analysis'],
    ['snake_case or camelCase', 'snake_case or camelCase'],
    ['Sorry for being late: an apology', 'Sorry for being late: an apology'],
    ['Unable to connect to Wi-Fi', 'Unable to connect to Wi-Fi'],
    ['Merge {"a":1} and {"b":2}', 'Merge {"a":1} and {"b":2}'],
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

  const words = (text: string) => text.split('|');

  it.each([
    ...words(
      'title|topic|subject|heading|answer|output|response|标题|標題|主题|主題|题目|題目|題名|件名|titel|titre',
    ),
    ...words(
      'título|titolo|tytuł|název|titlu|başlık|judul|tiêu đề|otsikko|rubrik|τίτλος|タイトル|제목|заголовок',
    ),
    ...words('название|тема|العنوان|כותרת|शीर्षक|หัวข้อ'),
    ...words('suggested|proposed|possible|good|conversation|chat|short|new|the|a|final').map(
      (word) => `${word} title`,
    ),
    ...words('对话|對話|会话|會話|会話|聊天|建议|建議|新').map((word) => `${word}标题`),
    ...words('is|would be|could be|是|为|為').map((word) => `Title ${word}`),
  ])('removes the label %j', (label) => {
    for (const colon of ':：﹕︰꞉∶')
      expect(titleFromModel(`${label}${colon} Trip to Kyoto`)).toBe('Trip to Kyoto');
  });

  it.each(words('sure|sure thing|certainly|of course|okay|ok|absolutely|好的|当然|當然|没问题|沒問題'))(
    'removes the preamble %j',
    (preamble) => {
      for (const end of ',，.。!！:：')
        expect(titleFromModel(`${preamble}${end} Trip to Kyoto`)).toBe('Trip to Kyoto');
    },
  );

  it.each(words('here|this is|my|a|an|one|based on|以下|这是|這是|根据|根據|建议|建議|为|為'))(
    'removes a preamble that begins with %j',
    (start) => expect(titleFromModel(`${start} … title …: Trip to Kyoto`)).toBe('Trip to Kyoto'),
  );

  it.each(words('<think>|<thinking>|<thought>|<reasoning>|<reflection>|[THINK]'))(
    'removes the reasoning after %s',
    (tag) => {
      expect(titleFromModel(`${tag}Hm${tag.replace(/[<[]/, '$&/')}Trip to Kyoto`)).toBe('Trip to Kyoto');
      expect(titleFromModel(`${tag}Hm`)).toBeNull();
    },
  );

  it.each([
    ...words('sorry|really sorry|so sorry|very sorry|unable|not able').map(
      (word) => `I am ${word} to say it`,
    ),
    ...words('My apologies|I apologize|I apologise|As an AI|Unfortunately, I'),
    ...words('can|could|do|won').map((word) => `Sorry but we ${word} not`),
    ...words("can't|can’t|cannot|can not|won't|will not|am not able to").map((word) => `I ${word} help`),
    ...words('help|assist|provide|create|generate|fulfil|write|comply|discuss|continue|answer').map(
      (verb) => `I cannot ${verb}`,
    ),
    ...words('process|give|do|summarize|determine').map((verb) => `I cannot ${verb} this`),
    ...words('generate|create|provide|determine|comply|assist|produce|write').map(
      (verb) => `Unable to ${verb} one`,
    ),
    ...words('抱歉|很抱歉|对不起|對不起|我无法|我無法|我不能|作为AI|作为一个AI|作为一名人工智能|你好，抱歉'),
    ...words(
      'Lo siento|Lamento|Desculpe|Je suis désolé|Je suis désolée|Désolé, non|Désolée, non|Je ne peux pas',
    ),
    ...words('Es tut mir leid|Mi dispiace|申し訳ありません|죄송합니다|Извините|К сожалению, я не могу'),
  ])('takes %j for a refusal', (answer) => expect(titleFromModel(answer)).toBeNull());

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
    'Sorry — I can’t do that',
    'I must decline to do this.',
    "I don't feel comfortable titling this.",
    'Unable to generate a title',
    'Desculpe, não posso ajudar',
    'К сожалению, я не могу помочь',
    '你好，我无法给到相关内容。',
    '\u200b\ufeff',
    '"\u2800"',
  ])('finds no title in %j', (answer) => expect(titleFromModel(answer)).toBeNull());

  it('parses answers built for catastrophic backtracking in bounded time', () => {
    const units = ['a ', '<think>', '```', '“', 'Title: ', '*', 'sure, ', '{"a":', ':', ' ', '\n'];
    const spent = cpuMs(() => units.forEach((unit) => titleFromModel(unit.repeat(8000 / unit.length))));

    expect(spent).toBeLessThan(2000);
  });
});
