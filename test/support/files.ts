import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createDeflate, deflateSync } from 'node:zlib';

interface PdfOptions {
  /** Text of each page. */
  pages?: string[];
  /** Deflated content stream of each page, instead of its text. */
  content?: Buffer;
  /** Entries of the trailer. */
  trailer?: string;
}

/** Builds a PDF 1.4 document by hand. */
export function makePdf({ pages = ['Hello PDF'], content, trailer = '' }: PdfOptions = {}): Buffer {
  const objects: (string | Buffer)[] = ['<< /Type /Catalog /Pages 2 0 R >>', ''];
  const font = '<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>';
  const kids: string[] = [];
  for (const text of pages) {
    const id = objects.length + 1;
    kids.push(`${id} 0 R`);
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99999 300] /Resources ${font} /Contents ${id + 1} 0 R >>`,
    );
    objects.push(stream(content ?? deflateSync(`BT /F1 12 Tf 20 200 Td (${text}) Tj ET`)));
  }
  objects[1] = `<< /Type /Pages /Kids [${kids.join(' ')}] /Count ${kids.length} >>`;
  return assemble(objects, trailer);
}

/** Deflates spaces in pieces: starting a process takes longer the more memory this one holds. */
export function deflateSpaces(megabytes: number): Promise<Buffer> {
  const pieces = Array<Buffer>(megabytes).fill(Buffer.alloc(1e6, ' '));
  return buffer(Readable.from(pieces).pipe(createDeflate()));
}

function stream(deflated: Buffer): Buffer {
  const head = Buffer.from(`<< /Length ${deflated.length} /Filter /FlateDecode >>\nstream\n`);
  return Buffer.concat([head, deflated, Buffer.from('\nendstream')]);
}

function assemble(objects: (string | Buffer)[], trailer: string): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.4\n')];
  let length = parts[0]!.length;
  const offsets = objects.map((object, index) => {
    const at = length;
    const part = Buffer.concat([
      Buffer.from(`${index + 1} 0 obj\n`),
      Buffer.from(object),
      Buffer.from('\nendobj\n'),
    ]);
    parts.push(part);
    length += part.length;
    return `${String(at).padStart(10, '0')} 00000 n \n`;
  });
  const size = objects.length + 1;
  parts.push(Buffer.from(`xref\n0 ${size}\n0000000000 65535 f \n${offsets.join('')}`));
  parts.push(
    Buffer.from(`trailer << /Size ${size} /Root 1 0 R ${trailer} >>\nstartxref\n${length}\n%%EOF\n`),
  );
  return Buffer.concat(parts);
}

/** An encryption dictionary of the standard handler, whose password is not empty. */
export const ENCRYPTED = `/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <${'ab'.repeat(32)}> /U <${'cd'.repeat(32)}> >> /ID [<${'00'.repeat(16)}> <${'00'.repeat(16)}>]`;
