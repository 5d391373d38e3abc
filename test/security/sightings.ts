/** Output of the server that may contain a secret. */
interface Sighting {
  where: string;
  bytes: Buffer;
}

/** Collects output of the server by kind and searches it for secrets. */
export class Sightings {
  private readonly kinds = new Map<string, Sighting[]>();

  note(kind: string, where: string, bytes: string | Buffer): void {
    const sightings = this.kinds.get(kind) ?? [];
    this.kinds.set(kind, [...sightings, { where, bytes: Buffer.from(bytes) }]);
  }

  /** @returns the amount of output of a kind, to verify that the search was not empty */
  count(kind: string): number {
    return this.kinds.get(kind)?.length ?? 0;
  }

  /** @returns places of the secrets in any encoding, as `name of the secret: place` */
  find(kind: string, secrets: Record<string, string>): string[] {
    const spelled = Object.entries(secrets).map(([name, secret]) => ({
      name,
      spellings: spellingsOf(secret),
    }));
    return (this.kinds.get(kind) ?? []).flatMap(({ where, bytes }) =>
      spelled
        .filter(({ spellings }) => spellings.some((spelling) => bytes.includes(spelling)))
        .map(({ name }) => `${name}: ${where}`),
    );
  }
}

function spellingsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const texts = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString('hex'),
  ];
  return [...texts.map((text) => Buffer.from(text)), Buffer.from(secret, 'utf16le'), ...base64Of(bytes)];
}

/** @returns the Base64 forms of a text at each byte alignment, without characters that depend on the context */
function base64Of(bytes: Buffer): Buffer[] {
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const whole = encoded.slice(shift === 0 ? 0 : 4, Math.floor(((shift + bytes.length) * 4) / 3 / 4) * 4);
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')].map((text) => Buffer.from(text));
  });
}
