/** Jest's transformer for packages: hands the loading over to Node, which does it once in a process (jest-environment.mjs). */
export default {
  process: (_source, path) => ({
    code: `module.exports = globalThis[Symbol.for('parley.require')](${JSON.stringify(path)});`,
  }),
};
