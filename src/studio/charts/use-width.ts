import { useLayoutEffect, useRef, useState } from 'react';

/** A ref and the content width of its element in CSS pixels; `initial` until it is laid out. */
export function useWidth<Element extends HTMLElement>(initial = 0) {
  const ref = useRef<Element>(null);
  const [width, setWidth] = useState(initial);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    setWidth(Math.floor(element.clientWidth));
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}
