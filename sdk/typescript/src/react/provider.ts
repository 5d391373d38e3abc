'use client';
import { createContext, createElement, type ReactElement, type ReactNode, useContext } from 'react';
import type { Parley } from '../parley.js';

const ParleyContext = createContext<Parley | null>(null);

export interface ParleyProviderProps {
  /** Made once, outside of components. The provider does not close it. */
  client: Parley;
  children?: ReactNode;
}

/** Provides the client to the hooks below it. */
export function ParleyProvider({ client, children }: ParleyProviderProps): ReactElement {
  return createElement(ParleyContext.Provider, { value: client }, children);
}

/** Returns the client of the closest ParleyProvider. */
export function useParley(): Parley {
  const client = useContext(ParleyContext);
  if (!client) throw new Error('Parley hooks must be used within a <ParleyProvider client={…}>.');
  return client;
}
