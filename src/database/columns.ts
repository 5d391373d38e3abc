import { ColumnOptions, ValueTransformer } from 'typeorm';

const toNumber: ValueTransformer = {
  to: (value: unknown) => value,
  // MySQL's BIGINT comes back as text.
  from: (value: string | number | null) => (value === null ? null : Number(value)),
};

const json: ValueTransformer = {
  to: (value: unknown) => (value === null ? null : JSON.stringify(value)),
  from: (value: string | null) => (value === null ? null : JSON.parse(value)),
};

/** Column options that several entities share; MySQL's names, which the SQLite driver maps to its own. */
export const ID = { type: 'bigint', transformer: toNumber } as const satisfies ColumnOptions;
export const TIME = { type: 'datetime', precision: 3 } as const satisfies ColumnOptions;
export const TEXT = { type: 'longtext' } as const satisfies ColumnOptions;
/** Comes back as a Buffer. */
export const BYTES = { type: 'longblob' } as const satisfies ColumnOptions;
export const JSON_TEXT = { type: 'longtext', transformer: json } as const satisfies ColumnOptions;
