/** A part of the bench in its own process. It answers commands over Node's IPC channel. */

/** @param {Record<string, (argument: any) => unknown>} commands */
export function answer(commands) {
  // Exits with the bench.
  process.on('disconnect', () => process.exit(1));
  process.on('message', async ({ id, command, argument }) => {
    if (!commands[command]) return;
    try {
      process.send({ id, result: await commands[command](argument) });
    } catch (error) {
      process.send({ id, error: String(error?.stack ?? error) });
    }
  });
}

export function ready(details = {}) {
  // Keeps the process alive although the probe unreferences the channel.
  process.channel.ref();
  process.send({ id: 0, result: details });
}
