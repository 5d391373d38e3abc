/** @returns the CPU time of synchronous work in milliseconds, which a busy machine lengthens little */
export function cpuMs(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
