/** Fails if a shipped package has a license not known to be compatible with MIT. Run: npm run licenses */
import { existsSync, readFileSync } from 'node:fs';

const COMPATIBLE = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
];
/** Shared libraries that are linked at run time and shipped unchanged, as the LGPL allows. */
const LINKED = { path: /^node_modules\/@img\/sharp-/, license: 'LGPL-3.0-or-later' };
/** Licenses of packages without one in package.json, with their source. */
const LOOKED_UP = { 'pause@0.0.1': 'MIT' /* its readme */ };

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Older packages have a list or an object with a type. Packages for other platforms are in the lock file only. */
function licenseOf(folder, { license, version }) {
  const path = `${folder}/package.json`;
  const written = existsSync(path) ? readJson(path) : { license };
  const named = written.license ?? written.licenses?.map(({ type }) => type).join(' OR ');
  return named?.type ?? named ?? LOOKED_UP[`${folder.replace(/.*node_modules\//, '')}@${version}`] ?? 'none';
}

/** One alternative of an SPDX expression (OR) suffices; of an expression with AND, every part is required. */
function isCompatible(path, license) {
  const parts = license.split(/ AND | OR |[()]/).filter(Boolean);
  const isAllowed = (part) =>
    COMPATIBLE.includes(part) || (LINKED.path.test(path) && part === LINKED.license);
  return license.includes(' AND ') ? parts.every(isAllowed) : parts.some(isAllowed);
}

const shipped = Object.entries(readJson('package-lock.json').packages).filter(
  ([path, { dev }]) => path && !dev,
);
const licenses = shipped.map(([path, entry]) => [path, licenseOf(path, entry)]);
const refused = licenses.filter(([path, license]) => !isCompatible(path, license));
for (const [path, license] of refused) console.error(`${path}: ${license}`);
console.log(
  `${shipped.length} packages are shipped, ${refused.length} with an unknown or incompatible license.`,
);
process.exitCode = refused.length > 0 ? 1 : 0;
