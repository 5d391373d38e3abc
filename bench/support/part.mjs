/** A part of the bench that runs as a process of its own: it answers what the bench asks over Node's own channel. */

/** @param {Record<string, (argument: any) => unknown>} commands */
export function answer(commands) {
  // The bench has died: nobody would end this process.
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
  // The probe's own use of the channel must not be what lets this process end.
  process.channel.ref();
  process.send({ id: 0, result: details });
}
