let commonPasswords: Promise<Set<string>> | undefined;

/** Whether a password of 8 or more characters is on zxcvbn's list of common passwords. Ignores case. */
export async function isCommonPassword(password: string): Promise<boolean> {
  const common = await (commonPasswords ??= load());
  return common.has(password.normalize('NFKC').toLowerCase());
}

/** Imported on demand, because loading the list delays the start. */
async function load(): Promise<Set<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common'].filter(({ length }) => length >= 8));
}
