import { TITLE_PROMPT } from '../chat/replies/titles/title-prompt.js';

export interface DemoMessage {
  role: string;
  text: string;
  /** Types of images and names of other files. */
  files?: string[];
}

/** The parts of the question used in the answer. */
interface Question {
  quote: string;
  keywords: string[];
  files: string[];
  earlier: string | undefined;
}

const CONFIG_EXAMPLE = `\`\`\`http
POST /auth/config/create
Content-Type: application/json

{
  "name": "My model",
  "model_url": "https://api.openai.com/v1",
  "model_name": "gpt-5-mini",
  "api_key": "<your key>"
}
\`\`\``;

// Words that are not a question's subject.
const FUNCTION_WORDS = new Set(
  (
    'a about all also an and any are as at be been but by can could did do does for from get give had has have hello hey hi ' +
    'how i if in into is it its let like make me my need no not of on one or our out please show so some tell than that the ' +
    'their them then there these they this to too up us use was we were what when where which who why will with would write you your ' +
    '一 一个 一下 不 与 中 为 为什么 也 了 什么 他 会 你 你好 使用 个 们 从 以 你们 关于 再 写 出 到 吗 吧 和 哪 哪些 啊 在 多少 如何 它 对 就 帮 我 我们 ' +
    '把 是 是否 有 来 呢 给 能 做 要 请 请问 让 说 谁 跟 这 这个 那 那个 都 里 需要 怎么 怎样 的 得 想 介绍 可以 用 上 下 还 很 '
  ).split(' '),
);

/** Builds the demo model's reply: Markdown for a question, one plain line for a title. Deterministic. */
export function demoAnswer(messages: DemoMessage[]): string {
  const asked = messages.filter((message) => message.role === 'user');
  const { text = '', files = [] } = asked.at(-1) ?? {};
  if (text.startsWith(TITLE_PROMPT)) return title(text.slice(TITLE_PROMPT.length).trimStart());
  const question = {
    quote: quote(text),
    keywords: keywords(text),
    files: files.map((file) => `\`${cut(file.replace(/[`\p{Cc}]/gu, ' '), 60)}\``),
    earlier: asked.at(-2) && quote(asked.at(-2)!.text),
  };
  return isChinese(text) ? inChinese(question) : inEnglish(question);
}

/** Splits text into pieces of about a word; joined, they are the text. */
export function deltasOf(text: string): string[] {
  return text.match(/\p{Script=Han}{1,2}|[^\s\p{Script=Han}]+\s*|\s+/gu) ?? [];
}

/** Han characters without kana, which indicate Japanese. */
function isChinese(text: string): boolean {
  return /\p{Script=Han}/u.test(text) && !/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text);
}

function inEnglish({ quote, keywords, files, earlier }: Question): string {
  const subject = keywords.map((word) => `**${word}**`).join(', ');
  const count = files.length === 1 ? 'a file' : `${files.length} files`;
  return `## ${quote ? `“${quote}”` : 'Hello!'}

${files.length ? `You sent ${count}: ${files.join(', ')}. ` : ''}${subject && `Your message is about ${subject}. `}I have to be honest: I am **Parley's built-in demo model**. I run no neural network, \
I only read your words and write this text, so please take it as a sample of *how* replies arrive.

What you can see here:

- **Streaming**: these words come one by one, over the same path as any provider's.
- **Markdown**: headings, lists, \`code\` and blocks of it.
- **History**: ${earlier ? `before this you asked “${earlier}”.` : 'this is where our conversation starts; it is kept.'}

For a real answer, add a model under **Settings → Model**: its URL, its name and your key. Over the API it is:

${CONFIG_EXAMPLE}

Any OpenAI-compatible provider will do, and from then on it answers in my place.`;
}

function inChinese({ quote, keywords, files, earlier }: Question): string {
  const subject = keywords.map((word) => `**${word}**`).join('、');
  return `## “${quote}”

${files.length ? `你发送了 ${files.length} 个文件：${files.join('、')}。` : ''}${subject && `你的消息谈到了${subject}。`}坦白地说：我是 **Parley 内置的演示模型**，背后没有神经网络，只是读了你的话，写出这段文字，\
让你看看回复是*怎样*送达的。

你现在看到的是：

- **流式输出**：文字逐词到达，走的路径与任何模型服务商相同。
- **Markdown**：标题、列表、\`行内代码\`和代码块。
- **历史记录**：${earlier ? `在这之前，你问过“${earlier}”。` : '我们的对话从这里开始，并会保存下来。'}

想得到真正的回答，请在 **Settings → Model**（设置 → 模型）中添加模型：URL、名称和密钥。也可以用 API：

${CONFIG_EXAMPLE}

任何兼容 OpenAI 的服务商都可以，之后就由它来回答。`;
}

/** Builds a title from the first words of a transcript (`User: …`), without quotes and final punctuation. */
function title(text: string): string {
  const plain = firstLine(text)
    .replace(/^User: /, '')
    .replace(/[`*“”"]/gu, '');
  const start = isChinese(plain) ? cut(plain, 16) : firstWords(plain, 6);
  return cut(start, 60).replace(/[\s\p{P}]+$/u, '') || 'New conversation';
}

/** Drops function words at the end: "What is a good recipe" instead of "… recipe for". */
function firstWords(text: string, count: number): string {
  const words = text.split(' ');
  const first = words.slice(0, count);
  if (words.length > count)
    while (first.length > 1 && FUNCTION_WORDS.has(first.at(-1)!.toLowerCase())) first.pop();
  return first.join(' ');
}

function quote(text: string): string {
  const line = firstLine(text);
  const start = cut(line, 48);
  return escape(start) + (start === line ? '' : '…');
}

/** Picks up to three likely subjects, in the order of the question. */
function keywords(text: string): string[] {
  const segments = new Intl.Segmenter(isChinese(text) ? 'zh' : 'en', { granularity: 'word' });
  const words = [...segments.segment(cut(firstLine(text), 200))].filter((segment) => segment.isWordLike);
  const subjects = words
    .map(({ segment }) => segment)
    .filter((word) => !FUNCTION_WORDS.has(word.toLowerCase()));
  return [...new Set(subjects.map((word) => escape(cut(word, 30))))].slice(0, 3);
}

/** Returns the first line with a letter or digit, in single spaces, without Markdown's line prefixes. */
function firstLine(text: string): string {
  const line = text.split('\n').find((candidate) => /[\p{L}\p{N}]/u.test(candidate)) ?? '';
  return line
    .replace(/^[\s>#*-]+/u, '')
    .replace(/\s+/gu, ' ')
    .trim();
}

/** Escapes Markdown in the user's text. */
function escape(text: string): string {
  return text.replace(/[\\`*_~#<>[\]|]/gu, '\\$&');
}

function cut(text: string, characters: number): string {
  return Array.from(text).slice(0, characters).join('');
}
