/** Whether a UTF-16 code unit is the first half of a character that takes two. */
export const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;

/** Whether it is the second. */
export const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;
