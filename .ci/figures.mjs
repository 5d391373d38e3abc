/**
 * Reads jest's figures. `failed FIRST` names the files with a failure; `count FIRST [AGAIN]` says how many tests passed
 * and failed, where the files that ran again count as they did then.
 */
import { existsSync, readFileSync } from 'node:fs';

const [command, first, again] = process.argv.slice(2);
const filesOf = (path) => JSON.parse(readFileSync(path, 'utf8')).testResults;
const failed = (file) => file.status === 'failed';

if (command === 'failed') {
  const names = filesOf(first).filter(failed);
  console.log(names.map((file) => file.name).join('\n'));
} else {
  const files = new Map(filesOf(first).map((file) => [file.name, file]));
  if (again && existsSync(again)) filesOf(again).forEach((file) => files.set(file.name, file));
  console.log(count([...files.values()]).join(' '));
}

/** A file that cannot even be loaded has no tests that fail: it counts as one. */
function count(files) {
  const tests = files.flatMap((file) => file.assertionResults);
  const unloaded = files.filter((file) => failed(file) && !file.assertionResults.some(isFailure)).length;
  return [
    tests.filter(({ status }) => status === 'passed').length,
    tests.filter(isFailure).length + unloaded,
  ];
}

function isFailure({ status }) {
  return status === 'failed';
}
