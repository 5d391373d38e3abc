import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Pixels from the bottom that still count as the bottom. */
const NEAR = 40;

/**
 * Keeps a scroller at its bottom while it grows, unless the reader has scrolled away. What is pressed stays in its place
 * until it is released: the browser clicks only what is pressed and released at the same point.
 */
export function useStickToBottom() {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isStuck = useRef(true);
  const [isAtBottom, setAtBottom] = useState(true);
  const stick = (value: boolean) => {
    isStuck.current = value;
    setAtBottom(value);
  };
  useLayoutEffect(() => {
    const element = scroller.current!;
    let isPressed = false;
    const follow = () => {
      if (isStuck.current && !isPressed) scrollToBottom(element);
    };
    const observer = new ResizeObserver(follow);
    observer.observe(element);
    observer.observe(content.current!);
    const listening = new AbortController();
    onScroll(element, listening.signal, ({ isUp, isNear }) => {
      // Content that has grown since moves the bottom away, too.
      if (isNear || isUp) stick(isNear);
    });
    onPress(element, listening.signal, (value) => {
      isPressed = value;
      // After the click.
      setTimeout(follow);
    });
    return () => {
      observer.disconnect();
      listening.abort();
    };
  }, []);
  const jump = useCallback(() => {
    stick(true);
    scrollToBottom(scroller.current!);
  }, []);
  const release = useCallback(() => stick(false), []);
  return { scroller, content, isAtBottom, jump, release };
}

function scrollToBottom(element: HTMLElement): void {
  element.scrollTo({ top: element.scrollHeight, behavior: 'instant' });
}

interface Scroll {
  isUp: boolean;
  /** Whether it ends near the bottom. */
  isNear: boolean;
}

function onScroll(element: HTMLElement, signal: AbortSignal, report: (scroll: Scroll) => void): void {
  let top = element.scrollTop;
  const handle = () => {
    const isUp = element.scrollTop < top;
    top = element.scrollTop;
    report({ isUp, isNear: element.scrollHeight - top - element.clientHeight < NEAR });
  };
  element.addEventListener('scroll', handle, { passive: true, signal });
}

/** Reports when the primary button, or a finger, goes down on an element, and up anywhere. */
function onPress(element: HTMLElement, signal: AbortSignal, report: (isPressed: boolean) => void): void {
  element.addEventListener('pointerdown', ({ button }) => button === 0 && report(true), { signal });
  addEventListener('pointerup', () => report(false), { signal });
  // A touch that scrolls.
  addEventListener('pointercancel', () => report(false), { signal });
}

export type StickToBottom = ReturnType<typeof useStickToBottom>;
