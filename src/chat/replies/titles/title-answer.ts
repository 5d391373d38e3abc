import { isVisible } from '../../../common/text/visible-text.js';
import { oneLine } from '../../turns/titles.js';

const MAX_TITLE_LENGTH = 100;
/** Leading reasoning in the tags of various models. An unclosed tag extends to the end. */
const REASONING =
  /^\s*(?:<(think|thinking|thought|reasoning|reflection)>|\[(THINK)\])[\s\S]*?(?:<\/\1>|\[\/\2\]|$)/i;
const REASONING_END = /^[\s\S]*<\/(?:think|thinking|thought)>|^[\s\S]*\[\/THINK\]/i;
const FENCED = /(```|~~~)(?:[\w-]*[ \t]*\n)?([\s\S]*?)(?:\1|$)/;
const TAGGED = /^<([a-z][\w-]{0,20})>([\s\S]*?)<\/\1>/i;
/** JSON object within other text. */
const OBJECT = /\{[^{}]*\}/;
const LABELS =
  'title|topic|subject|heading|answer|output|response|标题|標題|主题|主題|题目|題目|題名|件名|titel|titre|título|titolo|' +
  'tytuł|název|titlu|başlık|judul|tiêu đề|otsikko|rubrik|τίτλος|タイトル|제목|заголовок|название|тема|العنوان|כותרת|शीर्षक|หัวข้อ';
const COLON = '[:：﹕︰꞉∶]';
const EPITHETS =
  'suggested|proposed|possible|good|conversation|chat|short|new|the|a|final|对话|對話|会话|會話|会話|聊天|建议|建議|新';
/** "**Title:** …", "Conversation title is: …", "【标题】…" */
const LABEL = new RegExp(
  `^[【[「(*_"'\`]*(?:(?:${EPITHETS})(?:的)? ?){0,3}(?:${LABELS})` +
    `(?:[】」\\])]\\s*${COLON}?|["'*_\`]*\\s*(?:is|would be|could be|是|为|為)?\\s*${COLON}|\\s[-–—]\\s)["'*_\`]{0,3}\\s*`,
  'iu',
);
/** "Sure!", "Here is a title for this conversation: …" */
const PREAMBLES = [
  /^(?:sure(?: thing)?|certainly|of course|okay|ok|absolutely|好的|当然|當然|没问题|沒問題)[,，.。!！:：]+\s*/iu,
  new RegExp(
    `^(?:here|this is|my|a|an|one|based on|以下|这是|這是|根据|根據|建议|建議|为|為)[^:：]{0,60}(?:${LABELS})[^:：]{0,60}${COLON}\\s*`,
    'iu',
  ),
  new RegExp(`^(?:the|my|a)\\b[^:："“]{0,30}(?:${LABELS})[^:："“]{0,60}\\b(?:is|be)\\s+(?=["“«*])`, 'iu'),
  /^i(?:['’]d| would)? (?:suggest|propose|recommend)[^:：]{0,60}[:：]\s*/iu,
];
const REFUSAL = new RegExp(
  [
    "^(?:i['’]?m|i am) (?:(?:really|so|very) )?(?:sorry|unable|not able)",
    '^(?:sorry,|my apologies|i apologi[sz]e|as an ai\\b|unfortunately,)',
    '^sorry\\W+(?:but )?(?:i|we) (?:can|could|am|are|do|won)',
    "^i (?:can['’]?t|cannot|can not|won['’]t|will not|am not able to) (?:help|assist|provide|create|generate|fulfil|write|comply|discuss|continue|answer|process|give|do|summari|determine)",
    "^i (?:must decline|do(?: not|n['’]t) feel comfortable)",
    '^(?:i was )?unable to (?:generate|create|provide|determine|comply|assist|produce|write) ',
    '^(?:你好[，,!！])?(?:很?抱歉|对不起|對不起|我无法|我無法|我不能|作为(?:一个|一名)?(?:AI|人工智能))',
    '^(?:lo siento|lamento|desculpe|je suis désolée?|désolée?,|je ne peux pas|es tut mir leid|mi dispiace|申し訳|죄송|извините|к сожалению, я)',
  ].join('|'),
  'iu',
);
const QUOTES: [open: string, close: string][] = [
  ['""', '""'],
  ['"', '"'],
  ["'", "'"],
  ['`', '`'],
  ['“', '”'],
  ['„', '“'],
  ['„', '”'],
  ['”', '”'],
  ['‘', '’'],
  ['«', '»'],
  ['»', '«'],
  ['‹', '›'],
  ['〈', '〉'],
  ['〝', '〞'],
  ['＂', '＂'],
  ['「', '」'],
  ['『', '』'],
  ['《', '》'],
  ['【', '】'],
  ['**', '**'],
  ['__', '__'],
  ['*', '*'],
  ['_', '_'],
];
const TITLE_MEMBER = /title|标题|標題|^(?:name|topic|answer|text)$/i;

/**
 * Extracts a title of one line from a model's answer.
 * @returns null for a refusal, and for an answer that is empty or too long
 */
export function titleFromModel(answer: string): string | null {
  const text = unwrap(removeReasoning(answer).trim()) ?? '';
  const lines = text.split('\n').filter((line) => !isLabel(line.trim()));
  const [title = '', ...others] = lines.map(stripWrapping).filter((line) => line !== '');
  const isRefusal = REFUSAL.test(text) || REFUSAL.test(title);
  if (isRefusal || codePointCount([title, ...others].join('\n')) > MAX_TITLE_LENGTH) return null;
  return isVisible(title.replace(/\p{P}/gu, '')) ? title : null;
}

function removeReasoning(answer: string): string {
  return answer.replace(REASONING, '').replace(REASONING_END, '');
}

/** Text inside code fences, tags or JSON; undefined for JSON without a title. */
function unwrap(text: string): string | undefined {
  const inner = (FENCED.exec(text)?.[2] ?? TAGGED.exec(text)?.[2] ?? text).trim();
  const json = parseJson(inner);
  const title = titleIn(json) ?? titleMember(parseJson(objectIn(inner)));
  if (title !== undefined) return title;
  // A title may start with a quote or a bracket, but not with a brace.
  return json !== undefined || inner.startsWith('{') ? undefined : inner;
}

function objectIn(text: string): string {
  return OBJECT.exec(text)?.[0] ?? '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON
  }
}

function titleIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim();
  if (Array.isArray(value)) return titleIn(value[0]);
  if (typeof value !== 'object' || value === null) return undefined;
  const strings = Object.values(value).filter((each) => typeof each === 'string');
  return titleMember(value) ?? (strings.length === 1 ? strings[0]!.trim() : undefined);
}

function titleMember(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const [, title] = Object.entries(value).find(([name]) => TITLE_MEMBER.test(name)) ?? [];
  return typeof title === 'string' || Array.isArray(title) ? titleIn(title) : undefined;
}

/** Whether a line only announces the title. */
function isLabel(line: string): boolean {
  return new RegExp(`${COLON}["'*_]*$`, 'u').test(line);
}

/** Removes list marks, labels and quotes until the line no longer changes. */
function stripWrapping(line: string): string {
  let text = oneLine(line);
  for (let before = ''; before !== text;) {
    before = text;
    text = unquote(text.replace(/^(?:#+\s+|[-•*>]\s+|\d+[.)]\s+)/, '')).trim();
    for (const lead of [...PREAMBLES, LABEL]) text = text.replace(lead, '');
    text = text.replace(/(?<!\.)[.。．]$/u, '').trim();
  }
  return text;
}

function unquote(text: string): string {
  for (const [open, close] of QUOTES) {
    const isWrapped =
      text.length >= open.length + close.length && text.startsWith(open) && text.endsWith(close);
    const inner = text.slice(open.length, -close.length);
    if (isWrapped && !inner.includes(open)) return inner;
  }
  return text;
}

function codePointCount(text: string): number {
  return Array.from(text).length;
}
