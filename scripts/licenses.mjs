/** Fails where a package that is shipped has a licence that is not known to go with ours (MIT). Run: npm run licenses */
import { existsSync, readFileSync } from 'node:fs';

const COMPATIBLE = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'Python-2.0',
];
/** What names no licence in its package.json, by version, with where it was found instead. */
const LOOKED_UP = { 'pause@0.0.1': 'MIT' /* its Readme.md */ };

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Older packages have a list, or an object with a type. Those for other systems are in the lock file alone. */
function licenceOf(folder, { license, version }) {
  const path = `${folder}/package.json`;
  const written = existsSync(path) ? readJson(path) : { license };
  const named = written.license ?? written.licenses?.map(({ type }) => type).join(' OR ');
  return named?.type ?? named ?? LOOKED_UP[`${folder.replace(/.*node_modules\//, '')}@${version}`] ?? 'none';
}

/** Of an SPDX expression every part has to be compatible, though one would do where it says OR. */
const isCompatible = (licence) =>
  licence.split(/ AND | OR |[()]/).every((part) => part === '' || COMPATIBLE.includes(part));

const shipped = Object.entries(readJson('package-lock.json').packages).filter(
  ([path, { dev }]) => path && !dev,
);
const licences = shipped.map(([path, entry]) => [path, licenceOf(path, entry)]);
const refused = licences.filter(([, licence]) => !isCompatible(licence));
for (const [path, licence] of refused) console.error(`${path}: ${licence}`);
console.log(`${shipped.length} packages are shipped, ${refused.length} with a licence to look at.`);
process.exitCode = refused.length > 0 ? 1 : 0;
