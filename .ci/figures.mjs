/**
 * Reads jest's JSON results. `failed FIRST` prints the files with failures; `count FIRST [AGAIN]` prints how many tests
 * passed and failed. Results of the second run replace those of the first.
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

/** Counts a file that failed to load as one failed test. */
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
