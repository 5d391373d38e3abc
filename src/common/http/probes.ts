/** Whether a path is a health probe: public, allowed over plain HTTP, without limits, and never queued. */
export const isProbe = (path: string) => path.startsWith('/health/');
