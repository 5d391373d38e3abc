/** Prints the text of the PDF at argv[2] as JSON: `{text}`, or `{failure}`. */
import { readFile } from 'node:fs/promises';
import { argv, exit, memoryUsage, stdout } from 'node:process';

const MAX_PAGES = 2_000;
const MAX_CHARACTERS = 1_000_000;
/** Bytes of typed arrays, outside V8's heap, such as decompressed streams. */
const MAX_BUFFER_BYTES = 256 * 1024 * 1024;
/** Smaller arrays are not checked. */
const LARGE_ARRAY_BYTES = 1024 * 1024;

limitBuffers();
const result = await extract().catch(failureOf);
stdout.write(JSON.stringify(result), () => exit(0));

async function extract() {
  const { getDocument } = await import('unpdf/pdfjs');
  const data = new Uint8Array(await readFile(argv[2]));
  const options = {
    isEvalSupported: false,
    disableFontFace: true,
    useSystemFonts: false,
    stopAtErrors: false,
  };
  const pdf = await getDocument({ data, verbosity: 0, maxImageSize: 1, ...options }).promise;
  if (pdf.numPages > MAX_PAGES) return { failure: 'pages' };
  const pages = [];
  let characters = 0;
  for (let number = 1; number <= pdf.numPages; number++) {
    const page = await pdf.getPage(number);
    const text = textOf(await page.getTextContent());
    page.cleanup();
    characters += [...text].length;
    if (characters > MAX_CHARACTERS) return { failure: 'length' };
    pages.push(text);
  }
  const text = pages.join('\n\n').trim();
  return text === '' ? { failure: 'empty' } : { text };
}

/** NULs and lone surrogates cannot be stored. */
function textOf({ items }) {
  return items
    .map(({ str = '', hasEOL }) => (hasEOL ? `${str}\n` : str))
    .join('')
    .replaceAll('\0', '')
    .toWellFormed();
}

function failureOf(error) {
  return { failure: error?.name === 'PasswordException' ? 'encrypted' : 'broken' };
}

/** Ends the process at an allocation over the limit. `--max-old-space-size` does not count typed arrays. */
function limitBuffers() {
  delete globalThis.DecompressionStream; // allocates outside this check
  globalThis.Uint8Array = new Proxy(Uint8Array, {
    construct(target, args) {
      const [bytes] = args;
      if (bytes > LARGE_ARRAY_BYTES && memoryUsage().arrayBuffers + bytes > MAX_BUFFER_BYTES) exit(1);
      return Reflect.construct(target, args);
    },
  });
}
