/**
 * Writes a CycloneDX bill of materials of the shipped packages. `npm sbom --omit dev` (npm 10 and 11) also omits shipped
 * packages that development dependencies need, such as @nestjs/core. Run: npm run -s sbom > sbom.json
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const shipped = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path && !dev)
    .map(([path, { name, version }]) => `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`),
);

const command = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
const bill = JSON.parse(execFileSync('npm', command, { maxBuffer: 64 * 1024 * 1024 }));
const refs = new Set([bill.metadata.component['bom-ref']]);
const components = bill.components.filter(({ name, version, ...component }) => {
  const isShipped = shipped.delete(`${name}@${version}`);
  if (isShipped) refs.add(component['bom-ref']);
  return isShipped;
});
if (shipped.size > 0) throw new Error(`npm left out ${[...shipped].join(', ')}.`);
// npm marks a version as a development dependency if one of its two places in the tree is.
const isAboutDevelopment = ({ name }) => name === 'cdx:npm:package:development';
for (const { properties = [] } of components) {
  const index = properties.findIndex(isAboutDevelopment);
  if (index >= 0) properties.splice(index, 1);
}
const dependencies = bill.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
process.stdout.write(`${JSON.stringify({ ...bill, components, dependencies }, null, 2)}\n`);
