/** Writes the figures of bench/results.json into docs/performance.md. Run after a benchmark: `node bench/document.mjs` */
import { readFile, writeFile } from 'node:fs/promises';
import { format } from 'prettier';
import { pathOf } from './support/process.mjs';

const BETWEEN = /(<!-- figures -->).*(<!-- \/figures -->)/s;
const document = pathOf('../docs/performance.md');
const report = JSON.parse(await readFile(pathOf('results.json'), 'utf8'));
const text = await readFile(document, 'utf8');
const filled = text.replace(BETWEEN, (_, before, after) => `${before}\n\n${figures(report)}\n\n${after}`);
await writeFile(document, await format(filled, { parser: 'markdown' }));

function figures({ at, machine, database, rounds, results }) {
  const source = `${at.slice(0, 10)}, ${machine.cores} cores (${machine.cpu}), Node ${machine.node.slice(1)}, ${database}, ${rounds} rounds.`;
  const rows = results.map(({ what, goal, figure, met }) => [what, goal, shown(figure), verdict(met)]);
  const table = [['', 'goal', 'figure', 'met'], ['-', '-', '-', '-'], ...rows];
  return [source, '', ...table.map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
}

function shown(figure) {
  return figure === null ? '–' : String(Number(figure.toPrecision(3)));
}

function verdict(met) {
  if (met === null) return '–';
  return met ? 'yes' : '**no**';
}
