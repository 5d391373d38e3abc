import type { ColumnOptions, ValueTransformer } from 'typeorm';

/** MySQL returns BIGINT as text. */
const toNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | number | null) => (value === null ? null : Number(value)),
};

const json: ValueTransformer = {
  to: (value: unknown) => (value === null ? null : JSON.stringify(value)),
  from: (value: string | null) => (value === null ? null : JSON.parse(value)),
};

/** Column options shared by entities. The types are MySQL's; the SQLite driver maps them. */
export const ID = { type: 'bigint', transformer: toNumber } as const satisfies ColumnOptions;
export const TIME = { type: 'datetime', precision: 3 } as const satisfies ColumnOptions;
export const TEXT = { type: 'longtext' } as const satisfies ColumnOptions;
/** Read as a Buffer. */
export const BYTES = { type: 'longblob' } as const satisfies ColumnOptions;
export const JSON_TEXT = { type: 'longtext', transformer: json } as const satisfies ColumnOptions;
