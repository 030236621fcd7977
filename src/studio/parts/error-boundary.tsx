import { Component, type ReactNode } from 'react';

/**
 * Shows a sentence in the place of what failed to draw, with a way on: the rest of the page stays. `way` repairs the cause where drawing again would only fail
 * again, and is named by `label`.
 */
export class ErrorBoundary extends Component<
  {
    /** What is inside, for people: 'The heatmap'. */
    readonly name: string;
    readonly label: string;
    readonly way: () => void;
    readonly children: ReactNode;
  },
  { readonly error: Error | undefined }
> {
  override state = { error: undefined as Error | undefined };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { name, label, way, children } = this.props;
    const { error } = this.state;
    if (!error) return children;
    return (
      <div className="notice notice-error" role="alert">
        <p>
          {name} cannot be shown: {error.message}
        </p>
        <p>
          <button type="button" onClick={() => this.setState({ error: undefined })}>
            Try again
          </button>{' '}
          <button
            type="button"
            onClick={() => {
              way();
              this.setState({ error: undefined });
            }}
          >
            {label}
          </button>
        </p>
      </div>
    );
  }
}
