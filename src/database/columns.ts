import { ColumnOptions, ValueTransformer } from 'typeorm';

const toNumber: ValueTransformer = {
  to: (value: unknown) => value,
  // MySQL's BIGINT comes back as text.
  from: (value: string | number | null) => (value === null ? null : Number(value)),
};

const json: ValueTransformer = {
  to: (value: unknown) => JSON.stringify(value),
  from: (value: string) => JSON.parse(value),
};

/** Column options that several entities share; MySQL's names, which the SQLite driver maps to its own. */
export const ID: ColumnOptions = { type: 'bigint', transformer: toNumber };
export const TIME: ColumnOptions = { type: 'datetime', precision: 3 };
export const TEXT: ColumnOptions = { type: 'longtext' };
export const JSON_TEXT: ColumnOptions = { type: 'longtext', transformer: json };
