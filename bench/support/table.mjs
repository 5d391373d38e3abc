const WIDTHS = [74, 10, 10, 4];

/** Prints one line per figure: description, goal, figure, and whether the goal is met. */
export function printTable(results) {
  const lines = results.map(({ what, goal, figure, met }) => [
    what,
    goal,
    figure === null ? '-' : String(Number(figure.toPrecision(3))),
    verdict(met),
  ]);
  for (const line of [['', 'goal', 'figure', 'met'], ...lines]) {
    console.log(line.map((cell, index) => cell.padEnd(WIDTHS[index])).join(' '));
  }
}

function verdict(met) {
  if (met === null) return '-';
  return met ? 'yes' : 'NO';
}
