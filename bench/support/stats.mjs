export function median(values) {
  return percentile(values, 50);
}

/** @param {number[]} values */
export function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
}

/** Median, minimum and maximum. */
export function summary(values, digits = 1) {
  const round = (value) => Number(value.toFixed(digits));
  return {
    median: round(median(values)),
    lowest: round(Math.min(...values)),
    highest: round(Math.max(...values)),
  };
}
