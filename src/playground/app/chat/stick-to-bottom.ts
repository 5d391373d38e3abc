import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Pixels from the bottom that still count as the bottom. */
const NEAR = 40;

/** Keeps a scroller at its bottom while it grows, unless the reader has scrolled away. */
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
    const follow = () =>
      isStuck.current && element.scrollTo({ top: element.scrollHeight, behavior: 'instant' });
    const observer = new ResizeObserver(follow);
    observer.observe(element);
    observer.observe(content.current!);
    let top = element.scrollTop;
    const onScroll = () => {
      const isUp = element.scrollTop < top;
      top = element.scrollTop;
      const isNear = element.scrollHeight - top - element.clientHeight < NEAR;
      // Content that has grown since moves the bottom away, too.
      if (isNear || isUp) stick(isNear);
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
    };
  }, []);
  const jump = useCallback(() => {
    stick(true);
    scroller.current!.scrollTo({ top: scroller.current!.scrollHeight, behavior: 'instant' });
  }, []);
  const release = useCallback(() => stick(false), []);
  return { scroller, content, isAtBottom, jump, release };
}

export type StickToBottom = ReturnType<typeof useStickToBottom>;
