/**
 * What names are compared by: those that differ only in case, in how they are composed, or in characters that
 * nobody can see are the same name. Upper case comes first, as it unites what lower case keeps apart (σ and ς).
 */
export function foldName(name: string): string {
  const visible = name.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  return visible.toUpperCase().toLowerCase().normalize('NFKC');
}
