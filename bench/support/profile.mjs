/** Summarizes a CPU profile: `node bench/support/profile.mjs <file.cpuprofile> [lines]` */
import { readFileSync } from 'node:fs';

const [file, lines = '40'] = process.argv.slice(2);
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
const byId = new Map(nodes.map((node) => [node.id, { ...node, self: 0, total: 0 }]));
samples.forEach((id, index) => (byId.get(id).self += timeDeltas[index]));
for (const node of byId.values()) for (const child of node.children ?? []) byId.get(child).parent = node;

const nameOf = ({ callFrame: { functionName, url, lineNumber } }) =>
  `${functionName || '(anonymous)'} ${url.replace(/^.*\/(node_modules|dist)\//, '')}:${lineNumber + 1}`;
const figures = new Map();
for (const node of byId.values()) {
  const seen = new Set();
  for (let at = node; at; at = at.parent) {
    const name = nameOf(at);
    const figure = figures.get(name) ?? { self: 0, total: 0 };
    if (at === node) figure.self += node.self;
    if (!seen.has(name)) figure.total += node.self;
    seen.add(name);
    figures.set(name, figure);
  }
}

const idle = figures.get('(idle) :0')?.self ?? 0;
const busy = [...byId.values()].reduce((sum, { self }) => sum + self, 0) - idle;
const share = (time) => `${((time * 100) / busy).toFixed(1)} %`.padStart(8);
for (const order of ['self', 'total']) {
  console.log(`\n${order}, of ${(busy / 1000).toFixed(0)} ms busy`);
  const sorted = [...figures]
    .filter(([name]) => !name.startsWith('(idle)'))
    .sort(([, a], [, b]) => b[order] - a[order]);
  for (const [name, figure] of sorted.slice(0, Number(lines))) console.log(share(figure[order]), name);
}
