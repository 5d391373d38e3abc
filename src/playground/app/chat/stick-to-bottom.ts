import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Pixels from the bottom that still count as the bottom. */
const NEAR = 40;
/** A touch that scrolls is cancelled. */
const RELEASES = ['pointerup', 'pointercancel'] as const;

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
      if (isStuck.current && !isPressed) element.scrollTo({ top: element.scrollHeight, behavior: 'instant' });
    };
    const onPointerDown = ({ button }: PointerEvent) => (isPressed = button === 0);
    const onPointerUp = () => {
      if (!isPressed) return;
      isPressed = false;
      // After the click.
      setTimeout(follow);
    };
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
    element.addEventListener('pointerdown', onPointerDown);
    for (const type of RELEASES) addEventListener(type, onPointerUp);
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
      element.removeEventListener('pointerdown', onPointerDown);
      for (const type of RELEASES) removeEventListener(type, onPointerUp);
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
