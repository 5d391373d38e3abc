let commonPasswords: Promise<Set<string>> | undefined;

/** Whether a password, in whatever case, is among the 18,000 most common ones that are long enough to be allowed. */
export async function isCommonPassword(password: string): Promise<boolean> {
  const common = await (commonPasswords ??= load());
  return common.has(password.normalize('NFKC').toLowerCase());
}

/** Loaded when the first password is chosen: it takes 20 ms and 3 MB that a start need not wait for. */
async function load(): Promise<Set<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common'].filter(({ length }) => length >= 8));
}
