/** Whether a path is a prober's: answered to anybody, over plain HTTP too, without limits and before all that waits. */
export const isProbe = (path: string) => path.startsWith('/health/');
