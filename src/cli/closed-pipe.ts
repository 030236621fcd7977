/**
 * Lets the process end in peace where nobody reads its output any more (`espalier generate … | head`): what is left to say on standard output ends it with 0, as
 * its reader had enough; what is left to say on standard error is dropped.
 */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
