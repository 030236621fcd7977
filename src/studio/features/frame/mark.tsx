import { useTheme } from './use-theme.ts';

/** The mark: a tree trained flat on three wires, one branch cut. */
export function Mark() {
  const theme = useTheme();
  return (
    <svg className="mark" width="28" height="28" viewBox="0 0 28 28" aria-hidden="true" data-theme={theme}>
      <path className="mark-wire" d="M2 7.5h24M2 14.5h24M2 21.5h24" />
      <path
        className="mark-leaf"
        d="M14 27V4M14 24q0-2.500 3-2.500h7M14 17q0-2.500-3-2.500H4M14 17q0-2.500 3-2.500h7M14 10q0-2.500-3-2.500H4M14 10q0-2.500 3-2.500h7"
      />
      <path className="mark-cut" d="M14 24q0-2.500-3-2.500h-2M6.500 19.500l2 4" />
    </svg>
  );
}
